# Three stages: our wheel; an environment of locked packages, each hash checked; and what runs, without root or pip.
# Both stages that make the environment and the one that runs it need the same Python, so its tag stands once.
ARG PYTHON_IMAGE=python:3.13.15-slim-trixie

FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /build
COPY requirements/build.txt requirements/
RUN python -m pip install --quiet --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY src src
RUN python -m pip wheel --quiet --no-cache-dir --no-deps --no-build-isolation --wheel-dir wheels .

FROM ${PYTHON_IMAGE} AS environment
WORKDIR /build
RUN python -m venv --without-pip /opt/flagrank
COPY requirements/container.txt requirements/
RUN python -m pip --python /opt/flagrank/bin/python install --quiet --no-cache-dir --require-hashes -r requirements/container.txt
COPY --from=wheel /build/wheels wheels
RUN python -m pip --python /opt/flagrank/bin/python install --quiet --no-cache-dir --no-deps --no-index wheels/*.whl
# The root file system is read-only when it runs: byte code is made here or at every start.
RUN /opt/flagrank/bin/python -m compileall -q -j 0 /opt/flagrank/lib

FROM ${PYTHON_IMAGE} AS serve
COPY --from=environment /opt/flagrank /opt/flagrank
# For the embedded database, where no FLAGRANK_DATABASE_URL is given: mount a volume here.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/flagrank
ENV PATH=/opt/flagrank/bin:${PATH} \
    HOME=/var/lib/flagrank \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FLAGRANK_HOST=0.0.0.0 \
    FLAGRANK_DATA_DIR=/var/lib/flagrank
WORKDIR /var/lib/flagrank
USER 10001:10001
EXPOSE 8081
ENTRYPOINT ["flagrank"]
CMD ["serve"]
