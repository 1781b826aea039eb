# syntax=docker/dockerfile:1
#
# The command fdbelect with FoundationDB's client library.
#
#   docker build -t fdbelect .
#   docker run --rm -v /etc/foundationdb:/etc/foundationdb fdbelect status --store fdb:
#
# The images are pinned by the digests of their multi-platform indexes. The client library comes
# from the official package, and its checksums are pinned here. If you set another FDB_VERSION, set
# FDB_CLIENTS_SHA256 too. Otherwise the checksum that is published beside the package is used.

FROM golang:1.26.6-bookworm@sha256:116d58cbd88c1297624acc6e967a060012422bacf9930927e23fb719189c6f36 AS build

ARG FDB_VERSION=7.3.79
ARG FDB_CLIENTS_SHA256=
ARG TARGETARCH
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
RUN case "${TARGETARCH:-$(dpkg --print-architecture)}" in \
      amd64) arch=amd64 known=52cc22565c42e7eb60c08f395a0626483735c311be0d80b7c035ac8e328e2fff ;; \
      arm64) arch=aarch64 known=52de6931803c322e131c5e84cebb35d647237ef51a7df3df6fbe32b9b971e7fb ;; \
      *) echo "FoundationDB has no client package for ${TARGETARCH}" >&2; exit 1 ;; \
    esac; \
    package="foundationdb-clients_${FDB_VERSION}-1_${arch}.deb"; \
    from="https://github.com/apple/foundationdb/releases/download/${FDB_VERSION}"; \
    cd /tmp; \
    curl --proto =https --fail --silent --show-error --location --remote-name "$from/$package"; \
    sum="$FDB_CLIENTS_SHA256"; \
    if [[ -z $sum && $FDB_VERSION == 7.3.79 ]]; then sum=$known; fi; \
    if [[ -z $sum ]]; then \
      sum=$(curl --proto =https --fail --silent --show-error --location "$from/$package.sha256" | cut -d ' ' -f 1); \
    fi; \
    sha256sum --check - <<<"$sum  $package"; \
    dpkg --extract "$package" /; \
    rm "$package"; \
    ldconfig

WORKDIR /src
COPY . .
WORKDIR /src/cmd/fdbelect-fdb
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOWORK=off go build -trimpath -buildvcs=false -o /out/fdbelect .


# The tests of the adapter: docker compose run --rm integration
FROM build AS integration
WORKDIR /src/kv/fdbkv
ENV GOWORK=off
CMD ["go", "test", "-count=1", "./..."]


FROM debian:bookworm-slim@sha256:96e378d7e6531ac9a15ad505478fcc2e69f371b10f5cdf87857c4b8188404716 AS command
RUN groupadd --gid 65532 fdbelect && useradd --uid 65532 --gid 65532 --no-create-home --shell /usr/sbin/nologin fdbelect
COPY --from=build /usr/lib/libfdb_c.so /usr/lib/
COPY --from=build /out/fdbelect /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["fdbelect"]
CMD ["--help"]
