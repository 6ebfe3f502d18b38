# Hearth as an image: the page, the command line and the server are the same one.
#
#   docker build -t hearth:cpu .
#   docker build -t hearth:gpu --build-arg DEVICE=gpu .
#   docker run -p 127.0.0.1:7860:7860 -e HEARTH_AUTH=user:password -v hearth-workspace:/workspace hearth:cpu
#
# pip's usual torch carries CUDA (about 5 GB) and runs without a card as well. For a smaller image without it, give the
# address of PyTorch's CPU wheels (pytorch.org tells it): --build-arg PIP_EXTRA_INDEX_URL=ADDRESS
ARG DEVICE=cpu

FROM python:3.11-slim-bookworm AS packages
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/hearth/bin:$PATH
WORKDIR /build
# The lists alone, so that a change in the code installs nothing anew.
COPY requirements.txt requirements-overlay.txt ./
RUN python -m venv /opt/hearth \
    && pip install --no-cache-dir -r requirements.txt \
    && pip install --no-cache-dir --no-deps -r requirements-overlay.txt

FROM python:3.11-slim-bookworm AS cpu
# llama.cpp and bitsandbytes compute with OpenMP. Debian's own point releases are wanted, so no version is pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 hearth \
    && mkdir /workspace /cache \
    && chown hearth:hearth /workspace /cache
COPY --from=packages /opt/hearth /opt/hearth
WORKDIR /app
COPY . .
RUN /opt/hearth/bin/python -m compileall -q .
ENV PATH=/opt/hearth/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HEARTH_HOST=0.0.0.0 \
    HEARTH_WORKSPACE=/workspace \
    HEARTH_CACHE=/cache \
    HF_HOME=/cache/huggingface
VOLUME ["/workspace", "/cache"]
EXPOSE 7860 8000
USER 1000
STOPSIGNAL SIGINT
CMD ["python", "app.py"]

FROM cpu AS gpu
USER 0
# Triton compiles its kernels at first use.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000

# hadolint ignore=DL3006
FROM ${DEVICE}
