# The image of breakbank: one static program and nothing else. It runs every
# role of the platform, the load and the bench; see docs/compose.md.
FROM golang:1.26 AS build
LABEL breakbank.stage=build
ENV CGO_ENABLED=0
WORKDIR /src

# Modules change seldom: they are a layer of their own.
COPY go.mod go.sum ./
RUN go mod download

# With .git, so that Go writes version and commit into the program. Without one
# (sources from an archive, a worktree) it does not know them.
COPY . .

# Small: no symbols, no gaps between functions, and no inlining in libraries and
# in what no request passes through; router, gRPC and services keep theirs.
RUN vcs=false; git rev-parse HEAD >/dev/null 2>&1 && vcs=true; \
	for cold in charm.land github.com go.etcd.io go.opentelemetry.io go.uber.org go.yaml.in k8s.io sigs.k8s.io \
		golang.org/x/crypto golang.org/x/text google.golang.org/genproto \
		compress crypto debug encoding go html log mime net/http os regexp text vendor \
		breakbank/bench breakbank/cmd breakbank/services/gateway; \
	do set -- "$@" "-gcflags=$cold/...=-l"; done; \
	for hot in github.com/HdrHistogram/... encoding/binary; \
	do set -- "$@" "-gcflags=$hot="; done; \
	go build -buildvcs=$vcs -trimpath -ldflags='-s -w -funcalign=1' "$@" -o /image/breakbank ./cmd/breakbank

# Directories that volumes are mounted at: a new volume takes their owner.
RUN mkdir -p /image/own/data /image/own/run/breakbank /image/own/out /image/own/tmp

FROM scratch
LABEL org.opencontainers.image.title="breakbank" \
	org.opencontainers.image.description="A replica bank, built to be broken" \
	org.opencontainers.image.documentation="docs/compose.md"
COPY --from=build --chown=65532:65532 /image/own/ /
COPY --from=build /image/breakbank /breakbank
USER 65532:65532
ENTRYPOINT ["/breakbank"]
CMD ["--help"]
