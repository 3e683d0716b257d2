# What ships is built and fetched in two stages apart: the build needs the packages of development, the image does not.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No scripts: they fetch a Node and a Postgres, and build what is not copied yet.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY rolldown.config.ts rolldown.page.config.ts tsconfig.json ./
COPY build build
COPY docs/operations.md docs/
COPY migrations migrations
COPY src src
RUN npm run build

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# The optional ones are the embedded Postgres: a container has DATABASE_URL.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 WORKER_PORT=8080
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY migrations migrations
COPY --from=build /app/dist dist
USER node
EXPOSE 8080
# Alive, not ready: a worker that is killed because Postgres is away loses what it saw and could not write yet.
# bash and not Node: a Node that starts takes a second of a busy processor.
HEALTHCHECK --interval=15s --timeout=10s --retries=4 --start-period=60s --start-interval=2s CMD ["bash", "-c", \
  "for port in $PORT $WORKER_PORT; do { exec 3<>/dev/tcp/127.0.0.1/$port && printf 'GET /health/live HTTP/1.0\\r\\n\\r\\n' >&3 && read -r answer <&3 && [[ $answer == *' 200 '* ]]; } 2>/dev/null && exit; done; exit 1"]
# Node itself is process 1: it gets the SIGTERM of `docker stop`.
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve"]
