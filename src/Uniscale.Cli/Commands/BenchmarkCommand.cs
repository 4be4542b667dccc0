using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Uniscale.Configuration;
using Uniscale.Experiments.Benchmarks;
using Uniscale.Kernels;
using Uniscale.Programs;
using Uniscale.Telemetry;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Commands;

/// <summary>
/// <c>uniscale benchmark step|kernels|collectives|data|checkpoint|pipeline|inference</c>: how fast this machine trains and reads.
/// </summary>
internal static class BenchmarkCommand
{
    internal static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public static Command Create() =>
        new("benchmark", "Measure how fast this machine trains, and each part of it alone; and how fast a model reads and generates.")
        {
            Step(),
            Kernels(),
            Collectives(),
            Data(),
            CheckpointBenchmarkCommand.Create(),
            PipelineBenchmarkCommand.Create(),
            InferenceBenchmarkCommand.Create(),
        };

    private static Command Step()
    {
        var command = new Command(
            "step",
            "Time whole optimizer steps: tokens/s, model FLOP/s, share of the peak measured in the same run, time by part."
        );
        var configuration = new ConfigurationInput(command);
        var steps = new Option<int>("--steps") { Description = "Measured steps; the median counts.", DefaultValueFactory = _ => 7 };
        var ranks = new Option<int?>("--ranks") { Description = "Number of ranks, as threads; default: as many as the layout names." };
        var fed = new Option<bool>("--data") { Description = "Feed the configuration's data instead of drawn tokens." };
        var json = CommonOptions.Json();
        command.Add(steps);
        command.Add(ranks);
        command.Add(fed);
        command.Add(json);
        command.SetAction(parsed =>
        {
            var config = configuration.Load(parsed).Value;
            int count = AtLeastOne(parsed, steps, "steps");
            if (parsed.GetValue(fed) && config.Data.Sources.Count == 0 && config.Phases.Count == 0)
                throw new UserErrorException(
                    $"--data asks for the configuration's data, but {configuration.File(parsed)} names no sources: add data.sources or leave --data out."
                );
            if (!parsed.GetValue(fed))
                config = config with { Data = config.Data with { Sources = [], Tokenizer = null }, Phases = [] };
            // The warm-up and the profile run too, and the run must not end before them.
            config = config with
            {
                Train = config.Train with { Steps = Math.Max(config.Train.Steps, count + 10) },
            };
            int asked = parsed.GetValue(ranks) ?? config.Parallel.ReplicaRanks * Math.Max(1, config.Parallel.Data);
            if (asked < 1)
                throw new UserErrorException($"--ranks {asked} is not a number of ranks: give 1 or more.");
            if (new StepBenchmark(config, asked, count).Run() is not { } measured)
                return 0;
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json))
                output.WriteLine(JsonSerializer.Serialize(measured, Format));
            else
                Print(output, measured);
            return 0;
        });
        return command;
    }

    private static Command Kernels()
    {
        var command = new Command(
            "kernels",
            "Time each kernel alone: GEMM against the peak, the rest against a plain copy, both from the same run."
        );
        var rounds = Rounds(command);
        var precision = new Option<PrecisionKind>("--precision")
        {
            Description = "fp32 or bf16.",
            DefaultValueFactory = _ => PrecisionKind.Bf16,
        };
        var threads = new Option<int>("--threads")
        {
            Description = "Threads; default: the processors that are here.",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        var only = new Option<string>("--only")
        {
            Description = "Only kernels whose name contains this word.",
            DefaultValueFactory = _ => "",
        };
        var json = CommonOptions.Json();
        foreach (var option in (Option[])[precision, threads, only, json])
            command.Add(option);
        command.SetAction(parsed =>
        {
            var type = parsed.GetValue(precision).TensorType();
            using var benchmark = new KernelBenchmark(
                type,
                AtLeastOne(parsed, threads, "threads"),
                AtLeastOne(parsed, rounds, "rounds"),
                parsed.GetValue(only)!
            );
            Tell(parsed, json, benchmark.Run());
        });
        return command;
    }

    private static Command Collectives()
    {
        var command = new Command("collectives", "Time collectives between ranks, as threads or in a job of mpirun, against a plain copy.");
        var rounds = Rounds(command);
        var ranks = new Option<int>("--ranks") { Description = "Ranks, as threads.", DefaultValueFactory = _ => 2 };
        var json = CommonOptions.Json();
        command.Add(ranks);
        command.Add(json);
        command.SetAction(parsed =>
        {
            if (new CollectiveBenchmark(AtLeastOne(parsed, ranks, "ranks"), AtLeastOne(parsed, rounds, "rounds")).Run() is { } measured)
                Tell(parsed, json, measured);
        });
        return command;
    }

    private static Command Data()
    {
        var command = new Command("data", "Time writing a shard and reading shuffled samples from it.");
        var rounds = Rounds(command);
        var json = CommonOptions.Json();
        command.Add(json);
        command.SetAction(parsed => Tell(parsed, json, new DataBenchmark(AtLeastOne(parsed, rounds, "rounds")).Run()));
        return command;
    }

    internal static Option<int> Rounds(Command command)
    {
        var rounds = new Option<int>("--rounds") { Description = "Measurements; the median counts.", DefaultValueFactory = _ => 7 };
        command.Add(rounds);
        return rounds;
    }

    /// <summary>A row for each measurement as it comes, or JSON of all.</summary>
    internal static void Tell(ParseResult parsed, Option<bool> json, IEnumerable<Measurement> measurements)
    {
        var output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
        {
            output.WriteLine(AsJson(measurements));
            return;
        }
        output.WriteLine(Here());
        output.WriteLine($"{"",-28} {"median",12} {"rate",14} {"share",7}  of");
        foreach (var measured in measurements)
        {
            bool operations = measured.Yardstick == Yardstick.Peak;
            string yardstick = measured.Yardstick switch
            {
                Yardstick.Peak => "peak",
                Yardstick.Copy => "plain copy",
                _ => "plain write",
            };
            output.WriteLine(
                Invariant(
                    $"{measured.Name,-28} {measured.Seconds * 1e3,9:F3} ms {Rate(measured.Rate),14} {100 * measured.Share,6:F1}%  {yardstick}, {Rate(measured.YardstickRate)}  ({measured.Detail})"
                )
            );

            string Rate(double rate) => operations ? Units.Flops(rate) : Invariant($"{rate / 1e9:F2} GB/s");
        }
    }

    /// <summary>Measurements with what is to be known of where they were made.</summary>
    internal static string AsJson<T>(IEnumerable<T> measurements) =>
        JsonSerializer.Serialize(
            new
            {
                Processor = Machine.Processor(),
                LoadAverage = Machine.LoadAverage(),
                Measurements = measurements.ToArray(),
            },
            Format
        );

    /// <summary>The same for people, in a line before the measurements.</summary>
    internal static string Here() => Invariant($"{Machine.Processor()}; load average {Machine.LoadAverage():F1}");

    internal static int AtLeastOne(ParseResult parsed, Option<int> option, string what) =>
        parsed.GetValue(option) is > 0 and var count
            ? count
            : throw new UserErrorException($"{option.Name} {parsed.GetValue(option)} is not a number of {what}: give 1 or more.");

    private static void Print(TextWriter output, StepMeasurement measured)
    {
        string peak = measured.PeakFlops is { } flops
            ? Invariant(
                $", {100 * measured.PeakShare:F1}% of the {Units.Flops(flops)} that {measured.Ranks * measured.Threads} threads reach with loads from the first-level cache, measured between the steps"
            )
            : "";
        output.WriteLine(
            Invariant(
                $"""
                model      {measured.Name}: {Units.Count(
                    measured.ParameterCount
                )} parameters, {measured.Precision}, {measured.BatchTokens} tokens a step
                machine    {measured.Processor}; load average {measured.LoadAverage:F1} before the steps
                layout     {measured.Layout}, {measured.Ranks} ranks of {measured.Threads} threads
                step       {measured.MedianSeconds * 1e3:F1} ms, median of {measured.Seconds.Count} ({measured.Seconds.Min()
                    * 1e3:F1} to {measured.Seconds.Max() * 1e3:F1})
                speed      {measured.TokensPerSecond:F0} tokens/s, {Units.Flops(measured.ModelFlops)} ({ModelFlops.Formula}){peak}
                memory     {Units.Bytes(measured.PeakResidentBytes)} resident at most
                C#         {Units.Bytes(
                    measured.ManagedBytes
                )} allocated a step, {measured.CollectionMilliseconds:F2} ms of garbage collection
                """
            )
        );
        foreach (string line in ProfileText.Lines(measured.Profile))
            output.WriteLine(line);
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
