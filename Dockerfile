# Proving with the emulated board, for a host without Rust:
#   docker build -t proving .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" proving scenarios export scenarios   # unless you have some
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" proving run --board native --board qemu
# A real board is handed in by its device: --device /dev/serial/by-id/… --group-add dialout (after it was plugged in
# anew, the container has to be started anew), and BlueZ and NetworkManager of the host by -v /run/dbus/system_bus_socket:/run/dbus/system_bus_socket.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN rustup target add thumbv7em-none-eabi
RUN cargo build --release --locked --package proving
RUN cargo xtask firmware mps2

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates qemu-system-arm tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --groups dialout,plugdev lab
COPY --from=build /src/target/release/proving /usr/local/bin/proving
# The program looks for the board's image where cargo would have put it.
COPY --from=build /src/target/firmware/thumbv7em-none-eabi/release/mps2 /opt/proving/firmware/thumbv7em-none-eabi/release/mps2
ENV CARGO_TARGET_DIR=/opt/proving
USER lab
WORKDIR /work
# Signals reach the run, which ends in order, and what outlives it is reaped.
ENTRYPOINT ["tini", "--", "proving"]
CMD ["--help"]
