# One image for every process of Prorata; docker-compose.yml says which command each runs.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv /opt/prorata
COPY requirements.txt requirements-dev.txt ./
RUN /opt/prorata/bin/pip install --quiet --no-deps --require-hashes -r requirements.txt
# setuptools builds the project itself. It comes from the lock, too, and is installed outside the environment that is shipped.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements-dev.txt > requirements-build.txt \
    && pip install --quiet --no-deps --require-hashes --target /opt/build -r requirements-build.txt
COPY . .
RUN PYTHONPATH=/opt/build /opt/prorata/bin/pip install --quiet --no-deps --no-build-isolation . \
    && /opt/prorata/bin/pip uninstall --quiet --yes pip setuptools

FROM python:3.11-slim
RUN groupadd --gid 10001 prorata \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin prorata \
    && install -d -o prorata -g prorata /data
# The base image has Python's own modules without bytecode, and our processes may not write any: each start would compile them anew.
RUN python -m compileall -q -j 0 -x 'site-packages|lib2to3|idlelib' /usr/local/lib/python3.11
COPY --from=build /opt/prorata /opt/prorata
ENV PATH=/opt/prorata/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER prorata
WORKDIR /data
CMD ["prorata", "--help"]
