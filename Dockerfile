# Our own processes, for docker-compose.yml: `tagstream ingest`, `tagstream worker` and every other command.
ARG PYTHON_VERSION
ARG PYTHON_DIGEST
FROM python:${PYTHON_VERSION}-slim-bookworm${PYTHON_DIGEST} AS build
WORKDIR /app
RUN python -m venv .venv
COPY requirements/base.txt requirements/
RUN .venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/base.txt
COPY . .
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:${PYTHON_VERSION}-slim-bookworm${PYTHON_DIGEST}
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin tagstream
COPY --from=build /app/.venv /app/.venv
WORKDIR /data
RUN chown tagstream /data
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
ENTRYPOINT ["tagstream"]
CMD ["--help"]
