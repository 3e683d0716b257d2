# Node 24 runs the TypeScript as it is: nothing is compiled, the packages are fetched apart from what ships.
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
COPY src src
USER node
EXPOSE 8080
# Alive, not ready: a worker that is killed because Postgres is away loses what it saw and could not write yet.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s CMD ["node", "-e", \
  "Promise.any([process.env.PORT, process.env.WORKER_PORT].map(async (port) => { if (!(await fetch(`http://127.0.0.1:${port}/health/live`)).ok) throw port })).catch(() => process.exit(1))"]
# Node itself is process 1: it gets the SIGTERM of `docker stop`.
ENTRYPOINT ["node", "src/main.ts"]
CMD ["serve"]
