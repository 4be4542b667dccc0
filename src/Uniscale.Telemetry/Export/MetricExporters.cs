using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Uniscale.Configuration;

namespace Uniscale.Telemetry.Export;

/// <summary>
/// The standard packages that carry the instruments of <see cref="RunMeters"/> to Prometheus (which scrapes this process) and to a
/// collector of OpenTelemetry (which
/// is sent to). Their threads wait for either; nothing here is called from a step.
/// </summary>
internal sealed class MetricExporters : INewsReader
{
    private const int ShutdownMilliseconds = 2_000,
        ExportTimeoutMilliseconds = 5_000;

    private readonly MeterProvider _provider;

    private MetricExporters(MeterProvider provider) => _provider = provider;

    /// <summary>Opens what a section asks for.</summary>
    /// <param name="section">Where the metrics go.</param>
    /// <param name="run">Name of the run.</param>
    /// <param name="meter">The run's instruments.</param>
    /// <param name="complain">Takes a sentence about what could not be opened.</param>
    /// <returns>One for each that was opened: where one fails, the other goes on.</returns>
    public static IEnumerable<MetricExporters> Open(TelemetrySection section, string run, Meter meter, Action<string> complain)
    {
        if (
            section.Prometheus > 0
            && Guarded(
                () => Prometheus(section, run, meter),
                $"Prometheus cannot scrape the run on port {section.Prometheus} of {section.PrometheusHost}",
                complain
            )
                is { } prometheus
        )
            yield return prometheus;
        if (
            section.Otlp.Length > 0
            && Guarded(() => Otlp(section, run, meter), $"Metrics cannot be sent to {section.Otlp}", complain) is { } otlp
        )
            yield return otlp;
    }

    /// <inheritdoc/>
    public void Take(object news)
    {
        // The instruments are read when somebody asks.
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _provider.Shutdown(ShutdownMilliseconds);
        _provider.Dispose();
    }

    private static MetricExporters Prometheus(TelemetrySection section, string run, Meter meter) =>
        new(
            Builder(run, meter)
                .AddPrometheusHttpListener(options =>
                {
                    options.Host = section.PrometheusHost;
                    options.Port = section.Prometheus;
                    options.ScopeInfoEnabled = false;
                })
                .Build()
        );

    private static MetricExporters Otlp(TelemetrySection section, string run, Meter meter) =>
        new(
            Builder(run, meter)
                .AddOtlpExporter(
                    (exporter, reader) =>
                    {
                        bool isGrpc = section.OtlpProtocol == "grpc";
                        exporter.Protocol = isGrpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
                        // An address that is set in code is used as it is.
                        exporter.Endpoint = new Uri(
                            isGrpc || section.Otlp.EndsWith("/v1/metrics", StringComparison.Ordinal)
                                ? section.Otlp
                                : section.Otlp.TrimEnd('/') + "/v1/metrics"
                        );
                        exporter.TimeoutMilliseconds = ExportTimeoutMilliseconds;
                        reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = (int)(section.OtlpEvery * 1000);
                        reader.PeriodicExportingMetricReaderOptions.ExportTimeoutMilliseconds = ExportTimeoutMilliseconds;
                    }
                )
                .Build()
        );

    /// <summary>
    /// Instruments of other runs in this process are dropped: the package takes instruments of one name for one series, and the end of an
    /// earlier run's
    /// meter would end this run's series too.
    /// </summary>
    private static MeterProviderBuilder Builder(string run, Meter meter) =>
        Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(resource => resource.Clear().AddService("uniscale", serviceInstanceId: run))
            .AddView(instrument => ReferenceEquals(instrument.Meter, meter) ? null : MetricStreamConfiguration.Drop)
            .AddMeter(RunMeters.MeterName);

    private static MetricExporters? Guarded(Func<MetricExporters> open, string otherwise, Action<string> complain)
    {
        try
        {
            return open();
        }
        catch (Exception error)
        {
            complain($"{otherwise} ({(error.InnerException ?? error).Message.TrimEnd('.')}); training goes on without it.");
            return null;
        }
    }
}
