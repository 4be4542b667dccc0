using System.Diagnostics;
using Uniscale.Configuration;
using Uniscale.Planning.Failures;

namespace Uniscale.Planning.Tests.Failures;

public class RunSimulationTests
{
    private const double Hour = 3600,
        Day = 86_400;

    private static readonly FailureModel Model = new()
    {
        Kinds = [new FailureKind("node", 1 / (8 * Hour), 1)],
        Nodes = 256,
        Detect = 120,
        Restart = 300,
    };

    private static readonly JobModel Job = new()
    {
        Work = 45 * Day,
        Interval = 1800,
        SaveBlocks = 20,
        Tokens = 1.6e12,
    };

    /// <summary>Exponential failures, fixed costs: within 1% of Daly's equation for 1,000 runs.</summary>
    [Theory]
    [InlineData(8, 1800, 20, 420)]
    [InlineData(25, 3600, 60, 900)]
    [InlineData(2, 600, 30, 600)]
    public void The_mean_is_the_closed_form(double hours, double interval, double save, double recovery)
    {
        var model = Model.WithMtbf(hours * Hour) with { Detect = 0, Restart = recovery };
        var job = Job with { Interval = interval, SaveBlocks = save };
        double expected = CheckpointInterval.ExpectedSeconds(job.Work, interval, save, hours * Hour, recovery);
        Assert.Equal(1, RunReport.Of(job, model, 1000, seed: 1).Mean.Total / expected, 0.01);
    }

    [Fact]
    public void Parts_add_up_and_the_same_seed_gives_the_same_report()
    {
        var model = Model with { Repair = 12 * Hour, Spares = 2, BadShare = 0.05, BadFactor = 10, SlowShare = 0.005, SlowFactor = 1.1 };
        var job = Job with { SaveWrites = 100, SaveSlows = 0.05 };
        var report = RunReport.Of(job, model, 50, seed: 7);
        Assert.Equal(report.Totals, RunReport.Of(job, model, 50, seed: 7).Totals);
        Assert.NotEqual(report.Totals, RunReport.Of(job, model, 50, seed: 8).Totals);
        Assert.Equal(report.Totals.Average(), report.Mean.Total, 1e-6 * report.Mean.Total);
        Assert.Equal(job.Work, report.Mean.Useful, 1);
        Assert.True(report.Mean.Slow > 0 && report.Mean.Save > 0 && report.Mean.Lost > 0);
    }

    [Fact]
    public void A_restart_is_split_where_its_parts_are_known()
    {
        var split = new RestartSplit(Drain: 60, Communicators: 30, Reload: 150, WarmUp: 60);
        Assert.Equal(new RestartSplit(60, 30, 20, 0), split.After(110));
        var told = RunReport.Of(Job, Model with { RestartParts = split }, 50, seed: 7).Mean;
        Assert.Equal(told.Restart, told.RestartParts.Total, 1e-6 * told.Restart);
        // Struck in the middle, a restart begins anew: what comes first passes more often.
        Assert.True(told.RestartParts.Drain > told.RestartParts.WarmUp && told.RestartParts.WarmUp > 0.9 * told.RestartParts.Drain);
        Assert.Equal(told.Total, RunReport.Of(Job, Model, 50, seed: 7).Mean.Total);
    }

    /// <summary>A file gives all parts of a restart, or the whole.</summary>
    [Theory]
    [InlineData("drain: { value: 60s, source: ours }", "recovery.communicators is unknown")]
    [InlineData(
        "drain: { value: 60s, source: ours }, communicators: { value: 1s, source: ours }, reload: { value: 1s, source: ours }, warm_up: { value: 1s, source: ours }, restart: { value: 5min, source: ours }",
        "take one of them out"
    )]
    [InlineData("", "recovery.restart is unknown")]
    public void A_restart_that_is_not_whole_is_refused(string recovery, string sentence)
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("uniscale-rates-").FullName, "rates.yaml");
        File.WriteAllText(
            file,
            "name: mine\ncauses: [{ name: node, component: node, events: 1, components: 10, days: 1, source: ours }]\n"
                + $"recovery: {{ detect: {{ value: 2min, source: ours }}{(recovery.Length > 0 ? ", " + recovery : "")} }}\n"
        );
        Assert.Contains(sentence, Assert.Throws<UserErrorException>(() => FailureModel.Of(FailureCatalog.Load(file), 64, 8)).Message);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    [Fact]
    public void A_thousand_runs_of_45_days_take_seconds()
    {
        var clock = Stopwatch.StartNew();
        var report = RunReport.Of(Job, Model, 1000, seed: 1);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"{clock.Elapsed}");
        Assert.InRange(report.Quantile(0.9), report.Quantile(0.5), report.Totals[^1]);
        Assert.Equal(0.5, report.ProbabilityWithin(report.Quantile(0.5)), 0.01);
    }

    /// <summary>Llama 3: more than 90% effective time over 54 days (Llama 3 paper, section 3.3.4).</summary>
    [Fact]
    public void Llama_3_is_effective_for_more_than_nine_tenths()
    {
        var model = FailureModel.Of(FailureCatalog.Load("llama3"), 16384, 8);
        Assert.Equal(54 * 24 / 466.0, model.Mtbf / Hour, 0.02);
        var report = RunReport.Of(Job with { Work = 54 * Day, Interval = 600, SaveBlocks = 2 }, model, 200, seed: 1);
        Assert.InRange(report.Goodput, 0.90, 0.97);
    }

    /// <summary>24.7 h between failures for 2,048 GPUs at Llama 3's unplanned rate.</summary>
    [Fact]
    public void Rates_of_Llama_3_scale_to_2048_GPUs()
    {
        var file = FailureCatalog.Load("llama3");
        var unplanned = file with { Causes = [.. file.Causes.Where(cause => cause.Name != "planned")] };
        Assert.Equal(24.7, FailureModel.Of(unplanned, 2048, 8).Mtbf / Hour, 0.2);
    }

    /// <summary>
    /// 2,048 GPUs with Llama 3's causes, from 8 to 25 h between failures: goodput rises, and stays by the closed form, whose failures are
    /// of one kind.
    /// </summary>
    [Fact]
    public void Goodput_rises_from_8_to_25_hours_between_failures()
    {
        var model = FailureModel.Of(FailureCatalog.Load("llama3"), 2048, 8);
        double[] goodput =
        [
            .. new[] { 8.0, 12, 16, 20, 25 }.Select(hours => RunReport.Of(Job, model.WithMtbf(hours * Hour), 300, seed: 1).Goodput),
        ];
        Assert.Equal(goodput.Order(), goodput);
        foreach (var (hours, at) in new[] { (8.0, goodput[0]), (25.0, goodput[^1]) })
            Assert.Equal(
                Job.Work
                    / CheckpointInterval.ExpectedSeconds(
                        Job.Work,
                        Job.Interval,
                        Job.SaveBlocks,
                        hours * Hour,
                        model.Detect + model.Restart
                    ),
                at,
                0.01
            );
    }

    /// <summary>From the node rate alone: 1.8 h at 16,384 GPUs, as RSC's own model says. Its measured 7.9 h at 1,024 GPUs does not follow
    /// from that rate, which gives
    /// 28.8 h: jobs of that size failed for other causes, whose rates are not published.</summary>
    [Theory]
    [InlineData(16384, 1.8)]
    [InlineData(1024, 28.8)]
    public void The_node_rate_of_RSC_gives_the_time_between_failures(int gpus, double hours) =>
        Assert.Equal(hours, FailureModel.Of(FailureCatalog.Load("rsc"), gpus, 8).Mtbf / Hour, 0.05);

    [Fact]
    public void A_save_that_was_not_written_yet_does_not_count()
    {
        var once = new Once(3700);
        var parts = new RunSimulation(
            Job with
            {
                Work = 7200,
                Interval = 3600,
                SaveBlocks = 0,
                SaveWrites = 200,
            },
            Model,
            once,
            new Random(1)
        ).Run();
        Assert.Equal(3700, parts.Lost, 6);
        parts = new RunSimulation(
            Job with
            {
                Work = 7200,
                Interval = 3600,
                SaveBlocks = 0,
                SaveWrites = 50,
            },
            Model,
            new Once(3700),
            new Random(1)
        ).Run();
        Assert.Equal(100, parts.Lost, 6);
    }

    [Fact]
    public void Without_spares_a_job_waits_or_shrinks()
    {
        var model = Model with { Repair = 10 * Hour, NodesOfReplica = 4 };
        var waits = new RunSimulation(Job with { Work = 20 * Hour }, model, new Once(Hour), new Random(1)).Run();
        Assert.Equal(10 * Hour, waits.Waiting, 1);
        var shrinks = new RunSimulation(Job with { Work = 20 * Hour }, model with { Elastic = true }, new Once(Hour), new Random(1)).Run();
        Assert.Equal(0, shrinks.Waiting);
        Assert.Equal(1.0 / 63, shrinks.Slow / (shrinks.Useful - 1800), 1e-3);
        var spare = new RunSimulation(Job with { Work = 20 * Hour }, model with { Spares = 1 }, new Once(Hour), new Random(1)).Run();
        Assert.Equal(0, spare.Waiting + spare.Slow);
    }

    [Fact]
    public void A_mean_time_of_nothing_is_refused() =>
        Assert.Contains("above 0", Assert.Throws<UserErrorException>(() => Model.WithMtbf(0)).Message);

    /// <summary>M 6000 s, R 600 s, δ 10 s give 373 s, 24 or 25 steps of 15 s (changlan.org).</summary>
    [Fact]
    public void Intervals_are_those_of_the_formulas()
    {
        Assert.Equal(24, (int)(CheckpointInterval.Availability(10, 6000, 600) / 15));
        Assert.Equal(Math.Sqrt(2 * 10 * 6000), CheckpointInterval.Young(10, 6000), 9);
        Assert.Equal(CheckpointInterval.Young(10, 6000), CheckpointInterval.Daly(10, 6000), 10.0);
    }

    [Fact]
    public void The_best_interval_is_near_the_closed_forms_best()
    {
        double found = RunReport.BestInterval(Job, Model with { Detect = 0 }, 100, seed: 1);
        double At(double interval) => CheckpointInterval.ExpectedSeconds(Job.Work, interval, 20, 8 * Hour, 300);
        Assert.Equal(1, At(found) / At(CheckpointInterval.Daly(20, 8 * Hour)), 0.003);
    }

    private sealed class Once(double at) : IFailureSource
    {
        public Failure Next(double after) => after < at ? new Failure(at, 1) : new Failure(double.PositiveInfinity, 0);
    }
}
