// A stack as many tutorials have it.
import type { TextFile } from "../core/types";

export const EXAMPLE: TextFile[] = [
  {
    path: "compose.yaml",
    text: `# A stack as many tutorials have it. Replace it with your own.
services:
  wordpress:
    image: wordpress:6
    environment:
      WORDPRESS_DB_HOST: db
      WORDPRESS_DB_USER: wordpress
      WORDPRESS_DB_PASSWORD: wordpress
      WP_REDIS_URL: redis://:s3cr3t@cache:6379/0
    secrets: [auth_salt]
  db:
    image: mysql:8.4
    user: "999"
    environment:
      MYSQL_DATABASE: wordpress
      MYSQL_USER: wordpress
      MYSQL_PASSWORD_FILE: /run/secrets/db_password
      MYSQL_ROOT_PASSWORD: \${MYSQL_ROOT_PASSWORD:-root}
    secrets: [db_password]
secrets:
  auth_salt:
    environment: AUTH_SALT
  db_password:
    file: ./secrets/db_password
`,
  },
  {
    path: "compose.override.yaml",
    text: `# Compose merges this file in by itself.
services:
  backup:
    image: mysql:8.4
    command: mysqldump -h db -u root -pexample wordpress
    secrets:
      - source: db_password
        target: /etc/backup/password
        uid: "1000"
        mode: 0440
`,
  },
  { path: ".env", text: "MYSQL_ROOT_PASSWORD=changeme\nAUTH_SALT=q8Wk2mZ0pLr7Xc4Vt9Bn3Hd6\n" },
  { path: ".gitignore", text: "# Take the next line away and see what cosec says.\n/secrets/\n" },
];
