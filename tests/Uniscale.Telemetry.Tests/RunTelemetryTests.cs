using Uniscale.Configuration;

namespace Uniscale.Telemetry.Tests;

public sealed class RunTelemetryTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-telemetry-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_failing_sink_is_warned_about_once_and_the_others_go_on()
    {
        var log = new CollectedLog();
        var (broken, sound) = (new Broken(), new Counting());
        using (var telemetry = new RunTelemetry(log.Logger(), broken, sound))
        {
            telemetry.Start(Reports.Start());
            telemetry.Step(Reports.Step(1));
            telemetry.Step(Reports.Step(2));
            telemetry.Note(new Note(2, "note", "something"));
            telemetry.End(new RunEnd(2, true, "done", TimeSpan.Zero));
        }
        const string Warning = "Broken failed (no space left); training goes on, and further failures of it are not reported.";
        Assert.Equal(7, sound.Calls);
        Assert.Equal([Warning, "something"], sound.Notes);
        Assert.Empty(log.Lines);
    }

    [Fact]
    public void Where_no_sink_works_the_log_says_so()
    {
        var log = new CollectedLog();
        using (var telemetry = new RunTelemetry(log.Logger(), new Broken(), new Broken()))
            telemetry.Step(Reports.Step(1));
        Assert.Single(log.Lines);
    }

    [Fact]
    public void A_rank_opens_its_log_and_rank_0_the_metrics_too()
    {
        using (var telemetry = TelemetryFactory.Open(new LoggingSection(), _folder, rank: 1, resumedStep: 0))
            telemetry.Log.Information("hello from {Rank}", 1);
        Assert.EndsWith("INF hello from 1\n", File.ReadAllText(TelemetryFactory.LogFile(_folder, 1)));
        Assert.False(File.Exists(Path.Combine(_folder, TelemetryFactory.MetricsFileName)));

        using (var telemetry = TelemetryFactory.Open(new LoggingSection(), _folder, rank: 0, resumedStep: 0))
            telemetry.Step(Reports.Step(1));
        Assert.Contains("step 1/500 | loss 7.1234", File.ReadAllText(TelemetryFactory.LogFile(_folder, 0)));
        Assert.Single(File.ReadAllLines(Path.Combine(_folder, TelemetryFactory.MetricsFileName)));
        Assert.Single(Directory.GetFiles(Path.Combine(_folder, "tensorboard")));
    }

    [Fact]
    public void The_curve_of_a_resumed_run_begins_with_the_run()
    {
        using (var telemetry = TelemetryFactory.Open(new LoggingSection(), _folder, rank: 0, resumedStep: 0))
            for (int step = 1; step <= 4; step++)
                telemetry.Step(Reports.Step(step, 10 - step));
        using (var telemetry = TelemetryFactory.Open(new LoggingSection(), _folder, rank: 0, resumedStep: 3))
        {
            telemetry.Step(Reports.Step(4, 5));
            telemetry.End(new RunEnd(4, true, "done", TimeSpan.Zero));
        }
        string log = File.ReadAllText(TelemetryFactory.LogFile(_folder, 0));
        Assert.Contains("  9.0000 ┤", log);
        Assert.Contains("  5.0000 ┤", log);
    }

    [Fact]
    public void What_cannot_be_opened_does_not_stop_training()
    {
        Directory.CreateDirectory(Path.Combine(_folder, TelemetryFactory.MetricsFileName));
        using (var telemetry = TelemetryFactory.Open(new LoggingSection { TensorBoard = false }, _folder, rank: 0, resumedStep: 0))
            telemetry.Step(Reports.Step(1));
        Assert.Contains("training goes on without it", File.ReadAllText(TelemetryFactory.LogFile(_folder, 0)));
    }

    private class Counting : ITelemetrySink
    {
        public int Calls { get; private set; }

        public List<string> Notes { get; } = [];

        public void Start(RunStart start) => Call();

        public void Step(StepReport report) => Call();

        public void Validation(ValidationReport report) => Call();

        public void Note(Note note)
        {
            Notes.Add(note.Message);
            Call();
        }

        public void End(RunEnd end) => Call();

        public void Dispose() => Call();

        protected virtual void Call() => Calls++;
    }

    private sealed class Broken : Counting
    {
        protected override void Call() => throw new IOException("no space left");
    }
}
