# The program with its .NET, the CPU build of libtorch and MPICH: docker build -t uniscale . && docker run --rm -v "$PWD:/work" uniscale doctor
# scripts/test-image.sh runs the same commands in chroots of Debian and asks the result; the images themselves have not been built by the project.
FROM debian:12 AS sdk
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl git libicu72
RUN curl -fsSL https://dot.net/v1/dotnet-install.sh -o /tmp/dotnet-install.sh && bash /tmp/dotnet-install.sh --channel 10.0 --install-dir /usr/share/dotnet && ln -s /usr/share/dotnet/dotnet /usr/bin/dotnet
WORKDIR /source
COPY scripts/setup.sh scripts/
RUN scripts/setup.sh

FROM sdk AS build
WORKDIR /source
COPY . .
RUN scripts/publish.sh --libtorch --no-archive /opt/uniscale

FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends libssl3 mpich
COPY --from=build /opt/uniscale /opt/uniscale
RUN ln -s /opt/uniscale/scripts/uniscale /usr/bin/uniscale
WORKDIR /work
ENTRYPOINT ["uniscale"]
CMD ["help"]
