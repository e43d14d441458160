export const EXAMPLE = `# A stack as many tutorials have it. Replace it with your own.
services:
  wordpress:
    image: wordpress:6
    environment:
      WORDPRESS_DB_HOST: db
      WORDPRESS_DB_USER: wordpress
      WORDPRESS_DB_PASSWORD: wordpress
      WP_REDIS_URL: redis://:s3cr3t@cache:6379/0
  db:
    image: mysql:8.4
    environment:
      MYSQL_DATABASE: wordpress
      MYSQL_USER: wordpress
      MYSQL_PASSWORD: wordpress
      MYSQL_ROOT_PASSWORD: \${MYSQL_ROOT_PASSWORD:-root}
    secrets: [backup_key]
secrets:
  backup-key:
    file: ./secrets/backup_key
`;
