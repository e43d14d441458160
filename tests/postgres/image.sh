#!/bin/sh
# Makes the file system of an image with Debian 12's PostgreSQL 15 as a tar archive: image.sh ARCHIVE
#
# apt resolves, fetches and checks the packages in a place of its own; they are unpacked, not installed. So it wants
# apt and Debian's keys, but neither root's leave for the machine's own packages nor a chroot.
set -eu
archive=$1
# The mirror that this machine uses.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Identifier: Packages' |
    awk '$2 == "bookworm" && !found { print $1; found = 1 }')
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$work/root"
: >"$work/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:?no source of Debian 12 is in /etc/apt; add one} bookworm main" >"$work/sources.list"
apt() {
    apt-get -qq -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work/cache" -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}
apt update
apt -y --no-install-recommends --simulate install postgresql-15 busybox-static >"$work/plan"
# What only the packages' own scripts need, and the compiler of queries, is left out.
names=$(awk '$1 == "Inst" { print $2 }' "$work/plan" | grep -Ev \
    '^(lib)?perl|-perl$|^lib(llvm|z3)|^locales|-l10n$|-common$|^(adduser|debconf|dpkg|openssl|passwd|tar|usrmerge)$')
# shellcheck disable=SC2086
(cd "$work/debs" && apt download $names)

cd "$work/root"
mkdir -p usr/bin usr/sbin usr/lib usr/lib64 etc tmp run var/lib/postgresql/data var/run/postgresql
ln -s usr/bin usr/sbin usr/lib usr/lib64 .
for package in "$work"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink
done
rm -rf usr/share/doc usr/share/man usr/share/locale usr/lib/postgresql/15/lib/bitcode
for applet in sh cat chown chmod env id ls mkdir rm sleep stat su test; do
    ln -sf busybox "usr/bin/$applet"
done
ln -sf ../lib/postgresql/15/bin/initdb ../lib/postgresql/15/bin/postgres usr/bin/
# The client's own wrapper is Perl.
ln -sf ../lib/postgresql/15/bin/psql usr/bin/psql
printf 'root:x:0:0::/:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >etc/passwd
printf 'root:x:0:\npostgres:x:999:\nnogroup:x:65534:\n' >etc/group
cp "$here/entrypoint.sh" usr/bin/docker-entrypoint.sh
chmod 755 usr/bin/docker-entrypoint.sh
chmod 1777 tmp
tar --numeric-owner --owner=0 --group=0 -cf "$archive.$$.new" .
mv "$archive.$$.new" "$archive"
