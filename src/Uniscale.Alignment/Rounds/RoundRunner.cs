using System.Runtime.InteropServices;
using Uniscale.Configuration;

namespace Uniscale.Alignment.Rounds;

/// <summary>
/// Does the rounds of a configuration one after the other. Each stage of a round leaves files that are written whole, and a run goes on
/// from its newest checkpoint, so rounds that were killed anywhere go on to the same bits. <see cref="Run"/> starts processes that live
/// only as long as the thread that calls it.
/// </summary>
/// <param name="configure">Resolves the configuration with more overrides.</param>
/// <param name="directory">Directory of the rounds.</param>
/// <param name="ranks">Ranks of every run; 0: as many as its layout names.</param>
/// <param name="say">Takes sentences for the user.</param>
public sealed class RoundRunner(
    Func<IReadOnlyList<string>, ResolvedConfiguration> configure,
    string directory,
    int ranks,
    Action<string> say
)
{
    private readonly RunConfiguration _configuration = configure([]).Value;
    private readonly RoundBeginning _beginning = new(configure, directory);
    private volatile bool _isStopped;

    private RoundFaults Faults => field ??= new(_configuration, directory);

    /// <summary>Does all rounds. SIGINT and SIGTERM save and stop the run that is going on.</summary>
    /// <param name="resume">Rounds that are there go on.</param>
    /// <returns>The manifests of all rounds; null: stopped before the end.</returns>
    /// <exception cref="UserErrorException">Something of the input is wrong, or another process works here.</exception>
    public IReadOnlyList<RoundManifest>? Run(bool resume)
    {
        if (!resume && RoundManifest.Read(new RoundFolder(directory, 1).FullPath) is not null)
            throw new UserErrorException(
                $"{directory} already holds rounds: go on with --resume, or begin others with --set name=OTHER."
            );
        _beginning.Check();
        using var hold = Hold();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        var done = new List<RoundManifest>();
        for (int round = 1; round <= _configuration.Rounds.Count; round++)
        {
            if (Do(new RoundFolder(directory, round)) is not { } manifest)
                return null;
            done.Add(manifest);
        }
        return done;
    }

    /// <summary>Does a round from where it is; null: stopped.</summary>
    private RoundManifest? Do(RoundFolder folder)
    {
        if (_isStopped)
            return null;
        var manifest =
            RoundManifest.Read(folder.FullPath) ?? _beginning.Begin(folder, () => Faults.At(folder.Round, RoundPoint.ComparisonsPacked));
        // Each stage takes a manifest that lacks what the stage finds out, and gives one that has it.
        foreach (var stage in (Func<RoundFolder, RoundManifest, RoundManifest?>[])[TrainReward, TrainPolicy, TakeFastPath, TakeSlowPath])
        {
            if (_isStopped || stage(folder, manifest) is not { } next)
                return null;
            if (!ReferenceEquals(next, manifest))
                next.Write(folder.FullPath);
            manifest = next;
        }
        return manifest;
    }

    private RoundManifest? TrainReward(RoundFolder folder, RoundManifest manifest)
    {
        if (manifest.RewardModel is not null)
            return manifest;
        if (manifest.Comparisons.Count == 0)
            return manifest with { RewardModel = folder.ModelOf(PolicyOf(folder).RewardModel.From!) };
        say($"Round {folder.Round}: a reward model ({manifest.Patches} patches, {manifest.Labels} labels of people), in {folder.Reward}");
        if (!Train("train", folder.RewardConfiguration, folder.Reward))
            return null;
        Faults.At(folder.Round, RoundPoint.RewardTrained);
        return manifest with { RewardModel = folder.ModelOf(folder.Reward) };
    }

    private RoundManifest? TrainPolicy(RoundFolder folder, RoundManifest manifest)
    {
        if (manifest.Policy is not null)
            return manifest;
        foreach (var file in manifest.Prompts)
            if (!File.Exists(file.Path) || RoundFolder.FileOf(file.Path) != file)
                throw new UserErrorException(
                    $"{file.Path} is not what it was when round {folder.Round} began, so that answers could not be compared: bring it back, or remove {folder.FullPath} to begin the round again."
                );
        say($"Round {folder.Round}: a policy from {manifest.Start.Checkpoint}, in {folder.Policy}");
        if (!Train("align", folder.PolicyConfiguration, folder.Policy))
            return null;
        Faults.At(folder.Round, RoundPoint.PolicyTrained);
        return manifest with { Policy = folder.ModelOf(folder.Policy) };
    }

    private bool Train(string command, string configuration, string run) =>
        new StageRun(
            run,
            [
                _configuration.Rounds.Processes ? "launch" : command,
                configuration,
                "--resume",
                .. ranks > 0 ? (string[])["--ranks", $"{ranks}"] : [],
            ],
            _configuration.Rounds.Restarts
        ).Run(() => _isStopped, say);

    private RoundManifest TakeFastPath(RoundFolder folder, RoundManifest manifest)
    {
        if (manifest.Fast is not null)
            return manifest;
        var policy = PolicyOf(folder);
        var section = policy.Rounds.Fast;
        var pairs = RoundPairs.Of(folder.AnswersAt(manifest.Early), folder.AnswersAt(policy.Train.Steps));
        var patterns = new HackDetector(section).Find(pairs);
        var result = RoundPairs.WriteFast(folder, patterns, section, manifest.Seed);
        Faults.At(folder.Round, RoundPoint.PatchesWritten);
        foreach (var found in patterns)
            say($"Round {folder.Round}: {RoundReport.Sentence(found.Pattern)}");
        if (patterns.Count == 0)
            say($"Round {folder.Round}: no pattern of a deceived reward model.");
        return manifest with
        {
            Changes = HackDetector.ChangesOf(pairs),
            Patterns = [.. patterns.Select(found => found.Pattern)],
            Fast = result,
        };
    }

    private RoundManifest TakeSlowPath(RoundFolder folder, RoundManifest manifest)
    {
        if (manifest.Slow is not null)
            return manifest;
        var policy = PolicyOf(folder);
        if (policy.Rounds.Slow.Pairs == 0)
            return manifest with { Slow = 0 };
        int written = RoundPairs.WriteSlow(
            folder,
            new RoundFolder(directory, 1).AnswersAt(0),
            folder.AnswersAt(manifest.Early),
            folder.AnswersAt(policy.Train.Steps),
            policy.Rounds.Slow.Pairs,
            manifest.Seed
        );
        Faults.At(folder.Round, RoundPoint.PairsWritten);
        string labels = RoundFolder.LabelsOf(directory);
        say(
            $"Round {folder.Round}: {written} pairs for people in {folder.SlowPairs}: set better to a, b or tie in a copy under {labels}, which the next round takes."
        );
        return manifest with { Slow = written };
    }

    /// <summary>The configuration that the round began with.</summary>
    private static RunConfiguration PolicyOf(RoundFolder folder) => ConfigurationLoader.LoadStored(folder.PolicyConfiguration).Value;

    /// <summary>Keeps the directory for this process.</summary>
    private FileStream Hold()
    {
        try
        {
            Directory.CreateDirectory(directory);
            return new FileStream(Path.Combine(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"{directory} cannot be worked in ({error.Message.TrimEnd('.')}): wait for the end of the process that has it, or give these rounds another place (--set name=OTHER).",
                error
            );
        }
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;
        if (!_isStopped)
            say("Stopping: the run saves and ends. The same command with --resume goes on.");
        _isStopped = true;
    }
}
