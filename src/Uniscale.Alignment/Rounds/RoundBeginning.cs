using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Corpus.Chat;
using Uniscale.Data;
using Uniscale.Training.Runs;

namespace Uniscale.Alignment.Rounds;

/// <summary>
/// Makes the folder of a round, whole or not at all: the configurations of its runs, the comparisons as packs, the labels that people had
/// ready, and the manifest. What the round does from there on is a function of that folder and of the models that the manifest names.
/// </summary>
/// <param name="configure">Resolves the rounds' configuration with more overrides.</param>
/// <param name="directory">Directory of the rounds.</param>
public sealed class RoundBeginning(Func<IReadOnlyList<string>, ResolvedConfiguration> configure, string directory)
{
    private readonly RunConfiguration _configuration = configure([]).Value;

    /// <summary>Refuses before anything is trained what the first run, or a later one, would be refused for.</summary>
    /// <exception cref="UserErrorException">What is wrong, and what to do.</exception>
    public void Check()
    {
        if (_configuration.StartFrom is null)
            throw new UserErrorException(
                "Rounds begin with a model, and start_from names none: set it to a run, a checkpoint or an imported model."
            );
        if (_configuration.Rollout.Samples.Prompts.FirstOrDefault(path => !File.Exists(path)) is { } missing)
            throw new UserErrorException($"{missing} (rollout.samples.prompts) is no file: name the files of prompts one by one.");
        var folder = new RoundFolder(directory, 1);
        var policy = PolicyRun(folder, _configuration.StartFrom, _configuration.RewardModel.From ?? folder.Reward, heldOut: null).Value;
        using (AlignmentData.Open(policy))
        {
            // What is wrong with the prompts is told before a reward model is trained for them.
        }
        if (_configuration.Rounds.Reward is null)
            return;
        var reward = RewardRun(folder, []).Value;
        if (reward.Objective != ObjectiveKind.Reward)
            throw new UserErrorException(
                $"{_configuration.Rounds.Reward} (rounds.reward) has objective {reward.Objective.ToString().ToLowerInvariant()}: name a configuration with objective reward."
            );
        var model = _configuration.Model;
        if (reward.Model with { Head = model.Head, ScoreStd = model.ScoreStd, InitStd = model.InitStd, Preset = model.Preset } != model)
            throw new UserErrorException(
                $"{_configuration.Rounds.Reward} (rounds.reward) has another model than the policy that it is to judge: give both the same model section."
            );
        if (reward.Checkpoint.Directory is not null)
            throw new UserErrorException(
                $"{_configuration.Rounds.Reward} (rounds.reward) has checkpoint.directory, which would be that of every round: take it out."
            );
        foreach (string path in _configuration.Rounds.Preferences.Where(path => !File.Exists(path)))
            throw new UserErrorException($"There is no file {path} (rounds.preferences).");
    }

    /// <summary>Makes the folder of a round.</summary>
    /// <param name="folder">Where; nothing is there yet.</param>
    /// <param name="packed">Called once the comparisons lie in the folder, which is not yet the round's.</param>
    public RoundManifest Begin(RoundFolder folder, Action? packed = null)
    {
        if (Directory.Exists(folder.Unfinished))
            Directory.Delete(folder.Unfinished, recursive: true);
        Directory.CreateDirectory(folder.Unfinished);
        var (rounds, section) = (_configuration.Rounds, _configuration.RewardModel);
        bool trains = folder.Round > 1 || section.From is null;
        var files = new List<string>();
        int patches = 0;
        var labels = trains ? RoundPairs.ReadLabels(RoundFolder.LabelsOf(directory)) : [];
        if (trains)
        {
            files.AddRange(rounds.Preferences);
            string[] earlier = [.. Enumerable.Range(1, folder.Round - 1).Select(round => new RoundFolder(directory, round).Patches)];
            files.AddRange(earlier.Where(File.Exists));
            patches = earlier.Where(File.Exists).Sum(path => File.ReadLines(path).Count());
            string labelled = Path.Combine(folder.Unfinished, Path.GetFileName(folder.Labels));
            RoundPairs.Write(labelled, labels);
            string packs = Path.Combine(folder.Unfinished, Path.GetFileName(folder.Packs));
            var sources = Pack(files, labels.Count > 0 ? labelled : null, packs);
            string file = Path.Combine(folder.Unfinished, Path.GetFileName(folder.RewardConfiguration));
            RunFolder.Write(file, RewardRun(folder, sources));
            packed?.Invoke();
        }
        string start =
            folder.Round > 1 && rounds.Start == RoundStart.Previous
                ? new RoundFolder(directory, folder.Round - 1).Policy
                : _configuration.StartFrom!;
        // The very checkpoints, whatever becomes of their runs.
        start = StartingPoint.Find(start).Folder;
        string? heldOut = section.HeldOut is null ? null : StartingPoint.Find(section.HeldOut).Folder;
        var policy = PolicyRun(folder, start, trains ? folder.Reward : StartingPoint.Find(section.From!).Folder, heldOut);
        RunFolder.Write(Path.Combine(folder.Unfinished, Path.GetFileName(folder.PolicyConfiguration)), policy);
        var manifest = new RoundManifest
        {
            Round = folder.Round,
            Seed = policy.Value.Train.Seed,
            Start = folder.ModelOf(start),
            HeldOut = heldOut is null ? null : folder.ModelOf(heldOut),
            Comparisons = [.. files.Select(path => RoundFolder.FileOf(path))],
            Patches = patches,
            Labels = labels.Count,
            Prompts = [.. _configuration.Rollout.Samples.Prompts.Select(path => RoundFolder.FileOf(path))],
            Early = rounds.EarlyOf(_configuration),
        };
        manifest.Write(folder.Unfinished);
        Directory.Move(folder.Unfinished, folder.FullPath);
        return manifest;
    }

    /// <summary>Comparisons to packs, those of earlier rounds as often as <c>rounds.fast.copies</c> says.</summary>
    /// <returns>Domains, and whether each has comparisons for training and for validation.</returns>
    private IReadOnlyList<PackedDomain> Pack(IReadOnlyList<string> files, string? labels, string packs)
    {
        var rounds = _configuration.Rounds;
        var reward = RewardRun(new RoundFolder(directory, 1), []).Value;
        string path =
            reward.Data.Tokenizer
            ?? throw new UserErrorException(
                $"{rounds.Reward} (rounds.reward) names no tokenizer, so that comparisons cannot be turned into its tokens: set data.tokenizer."
            );
        var template = ChatTemplate.Of(_configuration.Rollout.Template);
        var options = new ChatOptions
        {
            Format = "preference",
            Remedy = "check the files of rounds.preferences",
            Template = _configuration.RewardModel.Token is { } token ? template with { RewardToken = token } : template,
            Context = reward.Model.Context,
            Validation = rounds.Validation,
            Conditions = _configuration.RewardModel.Conditions,
        };
        using var tokenizer = Tokenizer.Load(path);
        using var store = new ChatStore(packs, options, tokenizer);
        var reader = new ChatReader(options, new ChatTokenizer(options.Template, tokenizer));
        foreach (string file in files)
            for (int copy = 0; copy < (rounds.Preferences.Contains(file) ? 1 : rounds.Fast.Copies); copy++)
                Add(file);
        if (labels is not null)
            Add(labels);
        store.Complete();
        return
        [
            .. store
                .Reports.Where(report => report.Value.Samples > 0)
                .Select(report => new PackedDomain(report.Key, report.Value.ValidationSamples > 0)),
        ];

        void Add(string file)
        {
            // A round may have found nothing, and then has no patches.
            if (new FileInfo(file).Length == 0)
                return;
            foreach (var sample in reader.Read([file]))
                store.Add(sample);
        }
    }

    private ResolvedConfiguration RewardRun(RoundFolder folder, IReadOnlyList<PackedDomain> domains)
    {
        string Sources(IEnumerable<PackedDomain> from, string ending) =>
            JsonSerializer.Serialize(
                from.Select(domain => new
                {
                    name = domain.Name,
                    domain = domain.Name,
                    shards = (string[])[Path.Combine(folder.Packs, $"{domain.Name}.{ending}")],
                })
            );
        return ConfigurationLoader.Load(
            _configuration.Rounds.Reward!,
            [
                .. OwnKeys(folder, "reward", folder.Reward),
                $"data.sources={Sources(domains, "train")}",
                $"data.validation={Sources(domains.Where(domain => domain.HasValidation), "validation")}",
            ]
        );
    }

    private ResolvedConfiguration PolicyRun(RoundFolder folder, string start, string reward, string? heldOut) =>
        configure([
            .. OwnKeys(folder, "policy", folder.Policy),
            "rounds.count=0",
            ConfigurationLoader.Override("start_from", start),
            ConfigurationLoader.Override("reward_model.from", reward),
            .. heldOut is null ? (string[])[] : [ConfigurationLoader.Override("reward_model.held_out", heldOut)],
            $"rollout.samples.steps=[0, {_configuration.Rounds.EarlyOf(_configuration)}]",
        ]);

    private IEnumerable<string> OwnKeys(RoundFolder folder, string kind, string run) =>
        [
            ConfigurationLoader.Override("name", $"{_configuration.Name}-{folder.Round}-{kind}"),
            ConfigurationLoader.Override("run_directory", run),
            $"train.seed={_configuration.Train.Seed + folder.Round - 1}",
        ];

    /// <summary>A domain whose comparisons are packed.</summary>
    /// <param name="Name">The domain.</param>
    /// <param name="HasValidation">Whether some are set aside.</param>
    private sealed record PackedDomain(string Name, bool HasValidation);
}
