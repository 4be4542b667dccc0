using System.CommandLine;
using Uniscale.Alignment;
using Uniscale.Cli.Planning;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Launching.Ranks;
using Uniscale.Programs;
using Uniscale.Telemetry;
using Uniscale.Training;
using Uniscale.Training.Ownership;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Commands;

/// <summary>
/// <c>uniscale train</c>: trains with ranks that are threads of this process, or as one rank where mpirun or srun has started it.
/// </summary>
internal static class TrainCommand
{
    /// <summary><c>--stop-after</c>, for <c>train</c> and for <c>launch</c>, which passes it on.</summary>
    public static Option<long?> StopAfter { get; } =
        new("--stop-after")
        {
            Description = "Save and end after this step; --resume goes on. The schedule stays that of the whole run.",
            HelpName = "STEP",
        };

    public static Command Create()
    {
        var command = new Command(
            "train",
            "Train a model; ranks are threads of this process (see launch for processes). Ctrl-C and SIGTERM save and stop."
        );
        AddTo(command, (_, _, resolved, _) => RefuseRounds(resolved.Value));
        return command;
    }

    /// <summary>Makes a command that trains.</summary>
    /// <param name="command">The command.</param>
    /// <param name="instead">Refuses configurations that it is not for, or does something else with them and gives the exit code;
    /// null: they are trained.</param>
    internal static void AddTo(Command command, Func<ParseResult, ConfigurationInput, ResolvedConfiguration, StartOptions, int?> instead)
    {
        var configuration = new ConfigurationInput(command);
        var ranks = new Option<int?>("--ranks") { Description = "Number of ranks; default: as many as the layout names." };
        var resume = new Option<bool>("--resume") { Description = "Continue the run from its newest good checkpoint." };
        var trace = new Option<string?>("--trace")
        {
            Description = "Write the measured timeline of some steps as a Chrome trace (opens in Perfetto).",
            HelpName = "FILE.json",
        };
        var profile = new Option<string?>("--profile")
        {
            Description = "As --trace with every kernel, and a table of where the time went at the end.",
            HelpName = "FILE.json",
        };
        var deep = new Option<bool>("--deep")
        {
            Description = "Before training, read every byte of the data's shards against the digests that lie beside them.",
        };
        command.Add(ranks);
        command.Add(deep);
        command.Add(resume);
        command.Add(trace);
        command.Add(profile);
        command.Add(StopAfter);
        command.SetAction(parsed =>
        {
            var resolved = configuration.Load(parsed);
            var start = new StartOptions(
                parsed.GetValue(ranks),
                parsed.GetValue(resume),
                command.Options.FirstOrDefault(option => option != ranks && option != resume && IsOfOneRun(parsed, option))?.Name
            );
            if (instead(parsed, configuration, resolved, start) is { } code)
                return code;
            foreach (var (option, path) in new[] { ("--trace", parsed.GetValue(trace)), ("--profile", parsed.GetValue(profile)) })
                if (path is not null)
                    OutputFile.Check(path, option);
            var options = new TrainingOptions
            {
                Resume = parsed.GetValue(resume),
                TracePath = parsed.GetValue(trace),
                ProfilePath = parsed.GetValue(profile),
                StopAfter = parsed.GetValue(StopAfter) ?? long.MaxValue,
            };
            if (parsed.GetValue(deep))
                CheckShards(resolved.Value);
            if (options.StopAfter < 1)
                throw new UserErrorException($"--stop-after {options.StopAfter} is no step: give 1 or more.");
            if (
                resolved.Value is { Rollout.Updates: var updates } run
                && run.Objective.DrawsAnswers()
                && options.StopAfter != long.MaxValue
                && options.StopAfter % updates != 0
            )
                throw new UserErrorException(
                    $"--stop-after {options.StopAfter} lies within a batch of {updates} updates, which is drawn with the same weights: give a multiple of {updates}."
                );
            Train(resolved, options, parsed.GetValue(ranks));
            return 0;
        });
    }

    /// <summary>What a start was asked for besides the configuration.</summary>
    /// <param name="Ranks">Number of ranks; null: as many as the layout names.</param>
    /// <param name="Resume">Whether what is there goes on.</param>
    /// <param name="OfOneRun">An option that was given and makes sense for a single run alone; null: none was.</param>
    internal sealed record StartOptions(int? Ranks, bool Resume, string? OfOneRun);

    private static bool IsOfOneRun(ParseResult parsed, Option option) =>
        option.Name is "--deep" or "--trace" or "--profile" or "--stop-after" && parsed.GetResult(option) is { Implicit: false };

    /// <summary>Refuses a configuration of several runs.</summary>
    internal static int? RefuseRounds(RunConfiguration configuration) =>
        configuration.Rounds.Count == 0
            ? null
            : throw new UserErrorException(
                $"rounds.count is {configuration.Rounds.Count}: start rounds of reward model and policy with `uniscale align`."
            );

    /// <summary>Training itself looks at the fingerprints only, which see 256 places of a large shard.</summary>
    private static void CheckShards(RunConfiguration configuration)
    {
        foreach (var section in configuration.Data.Sources.Concat(configuration.Data.Validation).Where(section => section.Shards.Count > 0))
        {
            using var source = TokenSource.Open(section);
            foreach (var shard in source.Shards)
                shard.CheckRecorded(whole: true);
        }
    }

    private static void Train(ResolvedConfiguration resolved, TrainingOptions options, int? asked)
    {
        var environment = RankEnvironment.Detect();
        int ranks = asked ?? 0;
        if (asked < 1)
            throw new UserErrorException($"--ranks {asked} is not a number of ranks: give 1 or more.");
        if (!environment.IsLaunched)
        {
            var parallel = resolved.Value.Parallel;
            if (ranks == 0)
                ranks = parallel.ReplicaRanks * Math.Max(1, parallel.Data);
            LayoutGate.CheckWorld(resolved.Value, ranks);
        }
        var (stop, save) = (new StopRequest(), new SaveRequest());
        int localRanks = environment.IsLaunched ? environment.LocalSize : ranks;
        var forecast = MemoryForecast.Of(
            resolved.Value,
            environment.IsLaunched ? environment.WorldSize : ranks,
            threads: !environment.IsLaunched
        );
        if (!environment.IsLaunched)
            forecast?.Check(0, ranks);
        var folder = new RunFolder(resolved.Value);
        Shell.LogFile = TelemetryFactory.LogFile(folder.FullPath, environment.Rank);
        RunOwnership? owned = null;
        TrainingJob? job = null;
        // While data and weights are read there is nothing to save, and no step at whose end the ranks could agree. A launcher ends its
        // ranks itself.
        using var signals = new StopSignals(
            () =>
            {
                if (!environment.IsLaunched && job is not { HasBegun: true })
                    EndUnbegun(folder, owned);
                stop.Ask();
            },
            folder.FullPath,
            save.Ask
        );
        // Under a launcher the directory is the launcher's to make, and one rank's.
        if (!environment.IsLaunched)
            folder.Prepare(options.Resume);
        using var held = owned = environment.IsLaunched ? null : folder.Own(Console.Error.WriteLine);
        job = new TrainingJob(resolved, options with { LocalRanks = localRanks }, stop)
        {
            Save = save,
            Data = AlignmentData.Open,
            MoreCallbacks = AlignmentReports.Callbacks,
            Ownership = owned,
            ExpectedBytes = forecast is null ? null : forecast.BytesOfProcess,
        };
        try
        {
            RankLauncher.Run(
                ranks,
                folder.FullPath,
                rank =>
                {
                    // Hosts of a job may differ, and each knows its own.
                    if (environment.IsLaunched)
                        forecast?.Check(environment.Rank - environment.LocalRank, environment.LocalSize);
                    job.Run(rank);
                },
                devices: RankDevices.Of(resolved.Value)
            );
        }
        catch (UserErrorException) when (!environment.IsLaunched)
        {
            folder.Forget();
            throw;
        }
    }

    private static void EndUnbegun(RunFolder folder, RunOwnership? owned)
    {
        Console.Error.WriteLine("uniscale: stopped before training began; there was nothing to save.");
        if (owned is not null)
            folder.Forget();
        owned?.Dispose();
        QuickExit.Now(0);
    }
}
