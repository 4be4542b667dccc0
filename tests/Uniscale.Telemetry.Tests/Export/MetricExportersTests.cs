using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Uniscale.Configuration;
using Uniscale.Telemetry.Accounting;
using Uniscale.Telemetry.Export;

namespace Uniscale.Telemetry.Tests.Export;

/// <summary>What Prometheus and a collector are given, and that neither can hold training up.</summary>
[Collection(nameof(MetricExportersTests))]
public sealed partial class MetricExportersTests
{
    private readonly ConcurrentQueue<string> _complaints = new();

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    [GeneratedRegex("uniscale_[a-z_]+")]
    private static partial Regex Name();

    private ExportSink Open(TelemetrySection section) => ExportSink.Open(section, "sample", 0, _complaints.Enqueue)!;

    internal static void Tell(ITelemetrySink sink, double loss = 2.5)
    {
        var account = new TimeAccount
        {
            Effective = 90,
            Saving = 4,
            Restarting = 6,
        };
        sink.Start(
            new RunStart
            {
                Name = "sample",
                RunDirectory = "/x",
                ResumedStep = 3,
                PeakFlops = 1e12,
                Account = account,
            }
        );
        sink.Step(
            new StepReport
            {
                Step = 4,
                Phase = "broad",
                Loss = loss,
                GradientNorm = 0.5,
                LearningRate = 1e-3,
                BatchTokens = 512,
                Seconds = 0.05,
                TokensPerSecond = 10_240,
                ModelFlops = 2e9,
                Mfu = 0.4,
                MemoryBytes = 1 << 20,
                PeakMemoryBytes = 2 << 20,
                BadSteps = new Dictionary<string, long> { ["loss-spike"] = 2 },
                Rollbacks = 1,
                Account = account with { Saving = 5 },
            }
        );
        sink.Step(
            new StepReport
            {
                Step = 5,
                Phase = "fine",
                Loss = loss,
                GradientNorm = double.PositiveInfinity,
                Seconds = 0.07,
                BatchTokens = 512,
            }
        );
        sink.Validation(
            new ValidationReport
            {
                Step = 5,
                Name = "books",
                Domain = "prose",
                Loss = 3.25,
            }
        );
        sink.Note(new Note(5, "checkpoint-durable", "saved") { Seconds = 1.5 });
    }

    private static async Task<string> Scrape(int port)
    {
        using var client = new HttpClient();
        // The exporters' thread reads twice a second.
        for (int i = 0; ; i++)
        {
            await Task.Delay(200);
            string page = await client.GetStringAsync($"http://localhost:{port}/metrics");
            if (page.Contains("uniscale_saves_total", StringComparison.Ordinal) || i == 50)
                return page;
        }
    }

    [Fact]
    public async Task PrometheusIsGivenTheNamesOfTheConventions()
    {
        int port = FreePort();
        string page;
        using (var sink = Open(new TelemetrySection { Prometheus = port }))
        {
            Tell(sink);
            page = await Scrape(port);
        }
        string[] expected =
        [
            "uniscale_loss{rank=\"0\"} 2.5",
            "uniscale_learning_rate{rank=\"0\"}",
            "uniscale_grad_norm{rank=\"0\"} +Inf",
            "uniscale_mfu_ratio{rank=\"0\"} 0.4",
            "uniscale_effective_time_ratio{rank=\"0\"}",
            "uniscale_step{rank=\"0\"} 5",
            "uniscale_memory_bytes{part=\"process\",rank=\"0\"}",
            "uniscale_throughput_tokens_per_second{rank=\"0\"}",
            "uniscale_compute_flops_per_second{rank=\"0\"}",
            "uniscale_last_save_timestamp_seconds{rank=\"0\"}",
            "uniscale_tokens_total{phase=\"broad\",rank=\"0\"} 512",
            "uniscale_steps_total{phase=\"fine\",rank=\"0\"} 1",
            "uniscale_saves_total{rank=\"0\",result=\"durable\"} 1",
            "uniscale_restarts_total{rank=\"0\"} 1",
            "uniscale_spikes_total{kind=\"loss-spike\",rank=\"0\"} 2",
            "uniscale_nonfinite_steps_total{rank=\"0\"} 1",
            "uniscale_lost_time_seconds_total{rank=\"0\",use=\"saving\"} 5",
            "uniscale_step_duration_seconds_bucket{rank=\"0\",le=\"0.05\"} 1",
            "uniscale_save_duration_seconds_count{rank=\"0\"} 1",
            "uniscale_validation_loss{domain=\"prose\",rank=\"0\",source=\"books\"} 3.25",
            "uniscale_phase{phase=\"broad\",rank=\"0\"} 0",
            "uniscale_phase{phase=\"fine\",rank=\"0\"} 1",
            "uniscale_rollbacks_total{rank=\"0\"} 1",
        ];
        Assert.All(expected, line => Assert.Contains(line, page));
        Assert.DoesNotContain("otel_scope", page);
        Assert.Empty(_complaints);
        // What alerts and dashboard ask for is there under these names.
        var told = Name().Matches(page).Select(match => match.Value).ToHashSet();
        foreach (string file in (string[])["prometheus-rules.yaml", "grafana-dashboard.json"])
            Assert.All(
                Name().Matches(File.ReadAllText(Repository.PathOf($"configs/monitoring/{file}"))),
                match => Assert.True(told.Contains(match.Value), $"{file} asks for {match.Value}")
            );
    }

    [Theory]
    [InlineData(double.NaN, "uniscale_loss{rank=\"0\"} NaN")]
    [InlineData(double.PositiveInfinity, "uniscale_loss{rank=\"0\"} +Inf")]
    [InlineData(double.NegativeInfinity, "uniscale_loss{rank=\"0\"} -Inf")]
    public async Task ALossThatIsNoNumberIsToldAsSuchAndCounted(double loss, string line)
    {
        int port = FreePort();
        using var sink = Open(new TelemetrySection { Prometheus = port });
        Tell(sink, loss);
        string page = await Scrape(port);
        Assert.Contains(line, page);
        Assert.Contains("uniscale_nonfinite_steps_total{rank=\"0\"} 2", page);
        Assert.DoesNotContain("_sum{rank=\"0\"} NaN", page);
    }

    [Fact]
    public async Task ARunThatEndsTakesNothingFromAnother()
    {
        var earlier = Open(new TelemetrySection { Prometheus = FreePort() });
        Tell(earlier);
        int port = FreePort();
        using var sink = Open(new TelemetrySection { Prometheus = port });
        earlier.Dispose();
        Tell(sink, loss: 1.25);
        string page = await Scrape(port);
        Assert.Contains("uniscale_loss{rank=\"0\"} 1.25", page);
        Assert.Contains("uniscale_steps_total{phase=\"fine\",rank=\"0\"} 1", page);
    }

    [Fact]
    public void APortThatIsTakenIsToldAndHoldsNothingUp()
    {
        // All addresses, of both versions: which of them localhost is depends on the machine.
        using var taken = TcpListener.Create(0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        Assert.Null(ExportSink.Open(new TelemetrySection { Prometheus = port }, "sample", 0, _complaints.Enqueue));
        Assert.Contains($"port {port}", Assert.Single(_complaints));
    }

    [Fact]
    public async Task ACollectorReceivesTheMetrics()
    {
        using var collector = new HttpListener();
        int port = FreePort();
        collector.Prefixes.Add($"http://localhost:{port}/");
        collector.Start();
        // An export may come before the exporters' thread has read its first news.
        var receiving = Task.Run(async () =>
        {
            for (; ; )
            {
                var context = await collector.GetContextAsync();
                var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                context.Response.Close();
                string text = Encoding.Latin1.GetString(body.ToArray());
                if (text.Contains("uniscale.step.duration", StringComparison.Ordinal))
                    return (context.Request.Url!.AbsolutePath, context.Request.ContentType, Text: text);
            }
        });
        using (var sink = Open(new TelemetrySection { Otlp = $"http://localhost:{port}", OtlpEvery = 0.8 }))
        {
            Tell(sink);
            var (path, type, text) = await receiving.WaitAsync(TimeSpan.FromSeconds(20));
            Assert.Equal(("/v1/metrics", "application/x-protobuf"), (path, type));
            foreach (
                string name in (string[])
                    ["uniscale.loss", "uniscale.step.duration", "uniscale.tokens", "service.instance.id", "sample", "broad"]
            )
                Assert.Contains(name, text);
            collector.Stop();
        }
    }

    /// <summary>A collector that is not there, one that takes and never answers, and one that does not even accept.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void NoCollectorHoldsAStepUp(bool listens, bool accepts)
    {
        using var listener = new TcpListener(IPAddress.Loopback, listens ? 0 : FreePort());
        if (listens)
            listener.Start(backlog: 1);
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        if (accepts)
            _ = listener.AcceptTcpClientAsync();
        var section = new TelemetrySection
        {
            Otlp = $"http://127.0.0.1:{port}",
            OtlpEvery = 0.1,
            Notify = new NotifySection
            {
                Webhook = $"http://127.0.0.1:{port}/hook",
                Command = "sleep 60",
                On = ["spike"],
            },
        };
        var sink = Open(section);
        var report = new StepReport
        {
            Step = 1,
            Loss = 1,
            Seconds = 0.001,
        };
        var (longest, allocated) = (TimeSpan.Zero, GC.GetAllocatedBytesForCurrentThread());
        for (int step = 0; step < 600; step++)
        {
            if (step % 100 == 0)
                sink.Note(new Note(step, "step-skipped", "a spike", NoteLevel.Warning));
            long start = Stopwatch.GetTimestamp();
            sink.Step(report);
            var took = Stopwatch.GetElapsedTime(start);
            if (took > longest)
                longest = took;
            Thread.Sleep(2);
        }
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        // The machine may take the processor away from a step; a collector's timeouts are seconds.
        Assert.InRange(longest.TotalMilliseconds, 0, 500);
        Assert.InRange(allocated, 0, 20_000);
        long end = Stopwatch.GetTimestamp();
        sink.Dispose();
        Assert.InRange(Stopwatch.GetElapsedTime(end).TotalSeconds, 0, 6);
    }
}
