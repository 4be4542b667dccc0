using System.CommandLine;
using Uniscale.Cli.Planning;
using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Planning.Failures;
using Uniscale.Planning.Plans;
using Uniscale.Planning.Reports;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale plan simulate</c>: a whole run with failures.</summary>
internal static class PlanSimulateCommand
{
    /// <summary>
    /// Seconds that a save blocks a rank for each byte of its state, and the share by which steps are slower while it is written
    /// (docs/benchmarks/checkpoint_2026-11-22.md).
    /// </summary>
    private const double BlockingSecondsPerByte = 0.065e-9,
        SlowShare = 0.048;

    /// <summary>Bytes a second to storage, where the cluster's figure is unknown: BLOOM's 2.3 TB in 40 s (ml-engineering).</summary>
    private const double AssumedStorage = 2.3e12 / 40;

    private const double Hour = 3600,
        Day = 86_400;

    private static readonly Option<string?> Mtbf = new("--mtbf")
    {
        Description =
            "Mean time between failures of the job, one or a range for the curve; default: what --rates give, and 8h..25h for the curve.",
        HelpName = "8h..25h",
    };
    private static readonly Option<string> Rates = new("--rates")
    {
        Description = "Failure rates by name (llama3, rsc) or file.",
        HelpName = "NAME|FILE",
        DefaultValueFactory = _ => "llama3",
    };
    private static readonly Option<int> Runs = new("--runs") { Description = "Runs that are simulated.", DefaultValueFactory = _ => 1000 };
    private static readonly Option<int> Seed = new("--seed")
    {
        Description = "The same seed gives the same report.",
        DefaultValueFactory = _ => 1,
    };
    private static readonly Option<int> Spares = new("--spares")
    {
        Description = "Machines in reserve (counts only where --repair or a trace says how long machines are away).",
    };
    private static readonly Option<string?> Repair = new("--repair")
    {
        Description = "Until a machine that failed is back, e.g. 12h; default: the rates' figure.",
        HelpName = "TIME",
    };
    private static readonly Option<bool> Elastic = new("--elastic") { Description = "Go on with fewer replicas where no spare is left." };
    private static readonly Option<string?> Within = new("--within")
    {
        Description = "Show the probability of finishing within this time, e.g. 50d.",
        HelpName = "TIME",
    };
    private static readonly Option<string?> Trace = new("--trace")
    {
        Description = "Replay recorded failures (InfiniteHBD-Trace's JSON) in place of drawn ones.",
        HelpName = "FILE.json",
    };
    private static readonly Option<string?> Html = new("--html") { Description = "Write the report as a page.", HelpName = "FILE.html" };
    private static readonly Option<bool> Json = CommonOptions.Json();

    public static Command Create()
    {
        var command = new Command(
            "simulate",
            "Simulate the whole run with failures: goodput in its parts, a curve over the mean time between failures, the best save interval, spares."
        )
        {
            Mtbf,
            Rates,
            Runs,
            Seed,
            Spares,
            Repair,
            Elastic,
            Within,
            Trace,
            Html,
            Json,
        };
        var input = new PlanInput(command, wholeRun: true);
        command.SetAction(parsed => Simulate(parsed, input));
        return command;
    }

    private static int Simulate(ParseResult parsed, PlanInput input)
    {
        var config = input.Configuration(parsed);
        var (cluster, stack) = input.Cluster(parsed, config);
        if (parsed.GetValue(Html) is { } wanted)
            OutputFile.Check(wanted, "--html");
        int runs = parsed.GetValue(Runs),
            seed = parsed.GetValue(Seed);
        if (runs < 1)
            throw new UserErrorException($"--runs {runs} is not a number of runs: give 1 or more.");
        if (parsed.GetValue(Spares) < 0)
            throw new UserErrorException($"--spares {parsed.GetValue(Spares)} is not a number of machines: give 0 or more.");
        var spec = PlanInput.SpecOf(config, input.Ranks(parsed))(config, 0);
        PlanInput.CheckSize(spec, cluster);
        var plan = RunPlan.Of(config, cluster, stack, PlanInput.SpecOf(config, spec.Mesh.Size), input.PhaseLayouts(parsed));
        int nodeGpus = (int)cluster.Needed(cluster.NodeGpus, "node.gpus");
        var model = FailureModel.Of(FailureCatalog.Load(parsed.GetValue(Rates)!), spec.Mesh.Size, nodeGpus) with
        {
            Spares = parsed.GetValue(Spares),
            Elastic = parsed.GetValue(Elastic),
            NodesOfReplica = Math.Max(1, config.Parallel.ReplicaRanks / nodeGpus),
        };
        if (parsed.GetValue(Repair) is { } repair)
            model = model with { Repair = Duration(repair, "--repair") };
        double[] curve = Curve(parsed.GetValue(Mtbf));
        if (curve.Length == 1)
            model = model.WithMtbf(curve[0]);
        var job = JobOf(plan, config);
        var trace = parsed.GetValue(Trace) is { } file ? FailureTrace.Load(file, model.Nodes) : null;
        var report = RunReport.Of(job, model, runs, seed, trace);
        double best = RunReport.BestInterval(job, model, Math.Min(runs, 200), seed);
        var points = (curve.Length > 1 ? curve : Curve("8h..25h"))
            .Select(mtbf => (Mtbf: mtbf, Report: RunReport.Of(job, model.WithMtbf(mtbf), runs, seed)))
            .ToArray();
        double? within = parsed.GetValue(Within) is { } text ? Duration(text, "--within") : null;
        var output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(Html) is { } page)
            File.WriteAllText(
                page,
                PlanPage.OfFailures(config.Name, report, [.. points.Select(point => (point.Mtbf / Hour, point.Report.Goodput))])
            );
        if (parsed.GetValue(Json))
            output.WriteLine(PlanJson.Text(JsonOf(job, model, report, best, points, within)));
        else
            Write(output, plan, job, model, report, best, points, within, trace);
        return 0;
    }

    private static JobModel JobOf(RunPlan plan, RunConfiguration config)
    {
        var step = plan.Main.Step;
        double perRank = plan.CheckpointBytes / step.Spec.Mesh.Size;
        double written = plan.CheckpointBytes / (step.Cluster.StorageWrite ?? AssumedStorage);
        double blocks = plan.SaveBlockingSeconds ?? perRank * BlockingSecondsPerByte;
        return new JobModel
        {
            Work = plan.Segments.Sum(segment => segment.Seconds) + (plan.ValidationSeconds ?? 0),
            Interval = config.Checkpoint.Every > 0 ? config.Checkpoint.Every * step.Seconds : double.MaxValue / 1e6,
            SaveBlocks = config.Checkpoint.Async ? blocks : blocks + written,
            SaveWrites = config.Checkpoint.Async ? written : 0,
            SaveSlows = SlowShare,
            Tokens = plan.Tokens,
        };
    }

    private static double[] Curve(string? text)
    {
        if (text is null)
            return [];
        int dots = text.IndexOf("..", StringComparison.Ordinal);
        if (dots < 0)
            return [Duration(text, "--mtbf")];
        double from = Duration(text[..dots], "--mtbf"),
            to = Duration(text[(dots + 2)..], "--mtbf");
        if (to < from)
            throw new UserErrorException($"--mtbf {text} falls: write the shorter time first.");
        return [.. Enumerable.Range(0, 9).Select(i => from + (to - from) * i / 8)];
    }

    private static double Duration(string text, string option) =>
        Quantity.TryParse(text, Unit.Duration, out double seconds) && seconds > 0
            ? seconds
            : throw new UserErrorException($"{option} {text} is no time above 0: give a duration such as 30min, 8h or 50d.");

    private static void Write(
        TextWriter output,
        RunPlan plan,
        JobModel job,
        FailureModel model,
        RunReport report,
        double best,
        (double Mtbf, RunReport Report)[] points,
        double? within,
        FailureTrace? trace
    )
    {
        var cluster = plan.Main.Step.Cluster;
        output.WriteLine(
            $"{job.Tokens / 1e12:0.###}T tokens on {plan.Main.Step.Spec.Mesh.Size} GPUs of {cluster.Name}: {job.Work / Day:N2} days of work. "
                + (
                    trace is null
                        ? $"Failures every {model.Mtbf / Hour:N1} h; "
                        : $"{trace.Count} recorded failures in {trace.Seconds / Day:N1} days; "
                )
                + $"detection {model.Detect:N0} s, restart {model.Restart:N0} s."
        );
        output.WriteLine(
            $"A save every {job.Interval / Hour:N2} h blocks {job.SaveBlocks:N2} s{(cluster.Staging is null ? " (0.065 s/GB, measured here: docs/benchmarks/checkpoint_2026-11-22.md)" : "")}, "
                + $"is written in {job.SaveWrites:N0} s{(cluster.StorageWrite is null ? " (storage unknown: 57.5 GB/s as BLOOM's)" : "")}, slows steps by {job.SaveSlows:P1} meanwhile."
        );
        var mean = report.Mean;
        output.WriteLine(
            $"\nMean of {report.Totals.Count} runs: {mean.Total / Day:N2} days, goodput {report.Goodput:P2}, {report.TokensPerDay / 1e9:N1}B tokens a day, {mean.Failures:N0} failures"
        );
        foreach (var (name, seconds) in Parts(mean, model))
            output.WriteLine($"  {name,-28} {seconds / Day,9:N3} days {seconds / mean.Total,8:P2}");
        output.WriteLine(
            $"Over in {report.Quantile(0.1) / Day:N1} days (one run in ten), {report.Quantile(0.5) / Day:N1} (half), {report.Quantile(0.9) / Day:N1} (nine in ten)"
                + (within is { } days ? $"; within {days / Day:N1} days: {report.ProbabilityWithin(days):P1} of runs." : ".")
        );
        double cost = job.SaveBlocks + job.SlowLoss;
        output.WriteLine(
            $"\nBest save interval: {best / 60:N1} min by simulation; Young {CheckpointInterval.Young(cost, model.Mtbf) / 60:N1}, Daly {CheckpointInterval.Daly(cost, model.Mtbf) / 60:N1}, "
                + $"availability {CheckpointInterval.Availability(cost, model.Mtbf, model.Detect + model.Restart) / 60:N1} min."
        );
        output.WriteLine("\n  hours between failures   goodput     days   tokens a day");
        foreach (var (mtbf, at) in points)
            output.WriteLine($"  {mtbf / Hour,22:N1} {at.Goodput,9:P2} {at.Mean.Total / Day,8:N2} {at.TokensPerDay / 1e9,13:N1}B");
        output.WriteLine(
            model.Repair is null && trace is null
                ? "\nSpares: unknown, since the rates do not say how long machines are away; give --repair."
                : $"\nSpares: {SparesFor(model)} suffice in 99.9% of moments ({model.Spares} here)."
        );
    }

    /// <summary>
    /// Machines away at once follow Poisson's law with mean rate × repair; the smallest number that suffices in 99.9% of moments.
    /// </summary>
    private static int SparesFor(FailureModel model)
    {
        double mean = model.Kinds.Sum(kind => kind.PerSecond * kind.Nodes) * (model.Repair ?? 0);
        double term = Math.Exp(-mean),
            sum = term;
        int spares = 0;
        while (sum < 0.999 && spares < model.Nodes)
            sum += term *= mean / ++spares;
        return spares;
    }

    private static IEnumerable<(string Name, double Seconds)> Parts(RunParts parts, FailureModel model) =>
        [
            ("useful", parts.Useful),
            ("save", parts.Save),
            ("lost work", parts.Lost),
            ("detection", parts.Detect),
            (model.RestartParts is null ? "restart (parts not told)" : "restart", parts.Restart),
            .. model.RestartParts is null
                ? (IEnumerable<(string, double)>)[]
                :
                [
                    ("  drain", parts.RestartParts.Drain),
                    ("  communicators", parts.RestartParts.Communicators),
                    ("  reload", parts.RestartParts.Reload),
                    ("  warm-up", parts.RestartParts.WarmUp),
                ],
            ("waiting for machines", parts.Waiting),
            ("slow or fewer machines", parts.Slow),
        ];

    private static object JsonOf(
        JobModel job,
        FailureModel model,
        RunReport report,
        double best,
        (double Mtbf, RunReport Report)[] points,
        double? within
    ) =>
        new
        {
            Job = job,
            MtbfSeconds = model.Mtbf,
            Kinds = model.Kinds.Select(kind => new
            {
                kind.Name,
                kind.PerSecond,
                kind.Nodes,
            }),
            Runs = report.Totals.Count,
            report.Mean,
            TotalSeconds = report.Mean.Total,
            report.Goodput,
            report.TokensPerDay,
            P10 = report.Quantile(0.1),
            P50 = report.Quantile(0.5),
            P90 = report.Quantile(0.9),
            ProbabilityWithin = within is { } seconds ? report.ProbabilityWithin(seconds) : (double?)null,
            BestInterval = best,
            Young = CheckpointInterval.Young(job.SaveBlocks + job.SlowLoss, model.Mtbf),
            Daly = CheckpointInterval.Daly(job.SaveBlocks + job.SlowLoss, model.Mtbf),
            Curve = points.Select(point => new
            {
                MtbfSeconds = point.Mtbf,
                point.Report.Goodput,
                Seconds = point.Report.Mean.Total,
            }),
        };
}
