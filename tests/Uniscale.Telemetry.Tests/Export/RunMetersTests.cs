using System.Diagnostics.Metrics;
using Uniscale.Configuration;
using Uniscale.Telemetry.Accounting;
using Uniscale.Telemetry.Export;

namespace Uniscale.Telemetry.Tests.Export;

[Collection(nameof(MetricExportersTests))]
public sealed class RunMetersTests
{
    /// <summary>
    /// Counted on the thread that reads, with the standard package listening. The bad steps' dictionary allocates its enumerator; the rest
    /// is nothing, whatever
    /// the length of the run.
    /// </summary>
    [Fact]
    public void AStepIsReadWithNextToNoAllocation()
    {
        using var meters = new RunMeters(0);
        var section = new TelemetrySection { Otlp = "http://127.0.0.1:9", OtlpEvery = 3_600 };
        using var exporter = MetricExporters.Open(section, "sample", meters.Meter, _ => { }).Single();
        var reports = Enumerable.Range(1, 1_100).Select(Report).ToArray();
        foreach (var report in reports.AsSpan(0, 100))
            meters.Take(report);
        long before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var report in reports.AsSpan(100))
            meters.Take(report);
        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 1_000.0, 0, 128);
    }

    [Fact]
    public void RewardAndDivergenceAreTold()
    {
        using var meters = new RunMeters(0);
        using var listener = new MeterListener();
        var told = new Dictionary<string, double>();
        listener.InstrumentPublished = (instrument, all) =>
        {
            if (instrument.Meter == meters.Meter)
                all.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => told[instrument.Name] = value);
        listener.Start();
        meters.Take(Report(700));
        Assert.Equal((0.7, 0.5), (told["uniscale.reward"], told["uniscale.kl"]));
    }

    private static StepReport Report(int step) =>
        Reports.Step(step) with
        {
            Phase = step < 600 ? "broad" : "fine",
            PeakMemoryBytes = 2 << 20,
            DeviceMemoryBytes = 3 << 20,
            MemoryParts = new Dictionary<string, long> { ["parameters"] = step, ["other"] = 5 },
            DomainLosses = new Dictionary<string, double> { ["code"] = 2, ["prose"] = 3 },
            MixtureFed = new Dictionary<string, double> { ["code"] = 0.3, ["prose"] = 0.7 },
            MixturePlanned = new Dictionary<string, double> { ["code"] = 0.25, ["prose"] = 0.75 },
            Measures = new Dictionary<string, double> { ["objective/scores"] = step / 1_000.0, ["objective/kl"] = 0.5 },
            BadSteps = new Dictionary<string, long> { ["loss-spike"] = step / 100 },
            Account = new TimeAccount
            {
                Effective = step,
                Saving = step / 10.0,
                Validation = step / 20.0,
                Starting = 2,
                Restarting = 6,
            },
        };
}
