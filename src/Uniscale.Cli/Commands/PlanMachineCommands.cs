using System.CommandLine;
using Uniscale.Cli.Planning;
using Uniscale.Configuration;
using Uniscale.Planning.Clusters;
using Uniscale.Planning.Memory;
using Uniscale.Planning.Plans;
using Uniscale.Programs;
using Uniscale.Programs.Timing;
using Uniscale.Programs.Tracing;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale plan calibrate</c>: a cluster file for this machine.</summary>
internal static class PlanCalibrateCommand
{
    public static Command Create()
    {
        var command = new Command(
            "calibrate",
            "Measure this machine (some minutes) and write a cluster file for it, which plans of CPU configurations use."
        );
        var file = new Option<string>("--out")
        {
            Description = "File to write.",
            HelpName = "FILE.yaml",
            DefaultValueFactory = _ => PlanInput.ThisMachine,
        };
        var precision = new Option<PrecisionKind>("--precision")
        {
            Description = "fp32 or bf16; a file holds one.",
            DefaultValueFactory = _ => PrecisionKind.Fp32,
        };
        var threads = new Option<int>("--threads") { Description = "Threads of a rank.", DefaultValueFactory = _ => 1 };
        var steps = new Option<int>("--steps")
        {
            Description = "Measured steps of each layout in a round; the median counts.",
            DefaultValueFactory = _ => 9,
        };
        var rounds = new Option<int>("--rounds")
        {
            Description = "Times that all layouts are measured in turn; the median counts.",
            DefaultValueFactory = _ => 3,
        };
        foreach (var option in (Option[])[file, precision, threads, steps, rounds])
            command.Add(option);
        command.SetAction(parsed =>
        {
            string path = parsed.GetValue(file)!;
            OutputFile.Check(path, "--out");
            foreach (
                var (name, count) in new[]
                {
                    ("--threads", parsed.GetValue(threads)),
                    ("--steps", parsed.GetValue(steps)),
                    ("--rounds", parsed.GetValue(rounds)),
                }
            )
                if (count < 1)
                    throw new UserErrorException($"{name} {count} is too few: give 1 or more.");
            var error = parsed.InvocationConfiguration.Error;
            var cluster = new Calibration(
                parsed.GetValue(precision),
                parsed.GetValue(threads),
                parsed.GetValue(steps),
                parsed.GetValue(rounds),
                error.WriteLine
            ).Run();
            File.WriteAllText(path, ClusterWriter.Text(cluster));
            parsed.InvocationConfiguration.Output.WriteLine($"{path}: {cluster.Summary}");
            return 0;
        });
        return command;
    }
}

/// <summary><c>uniscale plan compare</c>: predicted against measured, of a run that happened here.</summary>
internal static class PlanCompareCommand
{
    public static Command Create()
    {
        var command = new Command("compare", "Lay a run's measured step time and memory beside the planner's prediction.");
        var run = new Argument<string>("RUN") { Description = "Folder of the run." };
        var cluster = new Option<string>("--cluster")
        {
            Description = $"Cluster by name or file; default: {PlanInput.ThisMachine}.",
            HelpName = "NAME|FILE",
            DefaultValueFactory = _ => PlanInput.ThisMachine,
        };
        var trace = new Option<string?>("--trace")
        {
            Description = "Trace that train --trace wrote of the run: the passes are compared too.",
            HelpName = "FILE.json",
        };
        command.Add(run);
        command.Add(cluster);
        var json = CommonOptions.Json();
        command.Add(trace);
        command.Add(json);
        command.SetAction(parsed =>
        {
            string folder = parsed.GetValue(run)!;
            string stored = Path.Combine(folder, RunFolder.ConfigurationFile);
            if (!File.Exists(stored))
                throw new UserErrorException($"{folder} is no run: it has no {RunFolder.ConfigurationFile}.");
            var config = ConfigurationLoader.LoadStored(stored, folder).Value;
            var measured = MeasuredRun.Read(folder);
            var hardware = ClusterCatalog.Load(parsed.GetValue(cluster)!);
            bool hasOwn = !measured.Threads && hardware.File.Stacks.Any(known => known.Name == MachineFit.MessagePassing);
            var stack = hardware.StackOf(hasOwn ? MachineFit.MessagePassing : "");
            int vocabulary = config.Model.Vocabulary > 0 ? config.Model.Vocabulary : TrainingData.VocabularyOf(config);
            var spec = SpecificationBuilder.Build(config, measured.Ranks, vocabulary);
            var plan = PricedStep.Of(spec, hardware, stack, withIntervals: true);
            double bytes = new HostAccount(spec, hardware, config.Checkpoint.Async, measured.Threads).OfProcess(measured.Heaviest);
            var rows = Rows(plan, measured, bytes, parsed.GetValue(trace)).ToArray();
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json))
                output.WriteLine(
                    PlanJson.Text(
                        new
                        {
                            Layout = PlanJson.Of(spec),
                            Cluster = hardware.Name,
                            Stack = stack.Name,
                            measured.Steps,
                            Parts = rows,
                        }
                    )
                );
            else
                Write(output, plan, measured, rows);
            return 0;
        });
        return command;
    }

    /// <summary>A part, predicted and measured.</summary>
    private sealed record Row(string Part, double Predicted, double Seen)
    {
        /// <summary>Share by which the prediction is above what was measured.</summary>
        public double Difference => Predicted / Seen - 1;
    }

    private static IEnumerable<Row> Rows(PricedStep plan, MeasuredRun measured, double predictedBytes, string? trace)
    {
        yield return new Row("step, ms", plan.Seconds * 1e3, measured.Seconds * 1e3);
        yield return new Row("tokens a rank and s", plan.TokensPerRank, plan.Tokens / measured.Seconds / plan.Spec.Mesh.Size);
        yield return new Row("peak memory, MiB", predictedBytes / (1 << 20), measured.PeakBytes / (1 << 20));
        if (trace is null)
            yield break;
        if (!File.Exists(trace))
            throw new UserErrorException($"There is no trace {trace}: write one with uniscale train CONFIG.yaml --trace {trace}.");
        var steps = MeasuredTrace.Steps(trace);
        if (steps.Count == 0 || steps[0].Ranks.Count != plan.Spec.Mesh.Size)
            throw new UserErrorException($"{trace} has no complete step of {plan.Spec.Mesh.Size} ranks: trace this run's layout.");
        var shortest = steps.MinBy(step => step.PassesEnd)!;
        foreach (var op in new[] { Op.Forward, Op.Backward, Op.BackwardInput, Op.BackwardWeight })
        {
            double predicted = PerRank(plan.Times.Intervals!, op),
                seen = PerRank(shortest.Intervals, op);
            if (predicted + seen > 0)
                yield return new Row($"{Instruction.NameOf(op)}, ms", predicted * 1e3, seen * 1e3);
        }
    }

    private static void Write(TextWriter output, PricedStep plan, MeasuredRun measured, IEnumerable<Row> rows)
    {
        output.WriteLine($"{PlanText.Layout(plan.Spec)}; {measured.Steps} steps, cluster {plan.Cluster.Name}, stack {plan.Stack.Name}");
        output.WriteLine("                        predicted     measured    difference");
        foreach (var row in rows)
            output.WriteLine($"  {row.Part,-20} {row.Predicted,11:N1} {row.Seen,12:N1} {row.Difference,13:+0.0%;-0.0%}");
    }

    private static double PerRank(IReadOnlyList<Interval> intervals, Op op)
    {
        int ranks = intervals.Select(interval => interval.Rank).Distinct().Count();
        return intervals
                .Where(interval => interval.Lane == Lane.Compute && interval.Instruction.Op == op)
                .Sum(interval => interval.Duration) / Math.Max(1, ranks);
    }
}
