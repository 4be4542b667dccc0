using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Launching.Ranks;
using Uniscale.Training.Feeding;

namespace Uniscale.Training.Runs;

/// <summary>
/// What must be the same on every rank of a job, by name. Ranks are started apart, each with its own files, arguments and environment:
/// where one differs, the run
/// would go on with half of its weights at another rate, or wait for ever.
/// </summary>
internal sealed class RankAgreement
{
    private const int MostNamed = 6;

    private readonly SortedDictionary<string, string> _facts;

    private RankAgreement(IEnumerable<KeyValuePair<string, string>> facts) =>
        _facts = new(new Dictionary<string, string>(facts), StringComparer.Ordinal);

    /// <summary>
    /// How a rank was started: every value of its configuration, its options, its code. Hosts may keep data at paths of their own and have
    /// processors of
    /// their own number.
    /// </summary>
    public static RankAgreement OnStart(ResolvedConfiguration resolved, TrainingOptions options)
    {
        var facts = ConfigurationDifference.Values(resolved).Where(value => !IsOfHost(value.Key)).ToDictionary();
        facts["--resume"] = options.Resume ? "given" : "absent";
        facts["--stop-after"] = options.StopAfter == long.MaxValue ? "absent" : options.StopAfter.ToString(CultureInfo.InvariantCulture);
        facts["the build of uniscale"] = BuildIdentity.Own;
        return new(facts);
    }

    /// <summary>What a rank has found at the paths of its configuration: tokens in their order, held-out tokens, the tokenizer.</summary>
    /// <param name="data">The data.</param>
    /// <param name="configuration">The configuration.</param>
    /// <param name="questions">Fingerprint of what the model is asked; null: nothing.</param>
    public static RankAgreement OnData(TrainingData data, RunConfiguration configuration, string? questions = null)
    {
        var facts = new Dictionary<string, string>
        {
            ["the order of the data"] = data.Source.Fingerprint,
            ["the number of tokens"] = data.Tokens.ToString(CultureInfo.InvariantCulture),
            ["the vocabulary"] = data.Vocabulary.ToString(CultureInfo.InvariantCulture),
        };
        if (questions is not null)
            facts["what evaluation.tasks ask"] = questions;
        foreach (var (name, fingerprint) in data.Source.SourceFingerprints)
            facts[$"data source '{name}'"] = fingerprint;
        foreach (var section in configuration.Data.Validation.Where(section => section.Shards.Count > 0))
        {
            using var held = TokenSource.Open(section);
            facts[$"validation source '{section.Name}'"] = held.Fingerprint;
        }
        if (configuration.Data.Tokenizer is { } path)
        {
            using var tokenizer = Tokenizer.Load(path);
            facts["the tokenizer"] = tokenizer.Fingerprint;
        }
        return new(facts);
    }

    /// <summary>Compares these facts with those of all other ranks. Collective; all ranks throw alike.</summary>
    /// <param name="world">All ranks.</param>
    /// <param name="host">Host of this one.</param>
    /// <exception cref="UserErrorException">Ranks differ; it says in what, and which.</exception>
    public void Check(IWorld world, string host)
    {
        byte[] mine = JsonSerializer.SerializeToUtf8Bytes(_facts),
            digest = SHA256.HashData(mine);
        if (GroupExchange.AllGather(world.HostGroup, digest).All(other => other.AsSpan().SequenceEqual(digest)))
            return;
        var ranks = GroupExchange
            .AllGather(world.HostGroup, JsonSerializer.SerializeToUtf8Bytes(new RankFacts(host, _facts)))
            .Select(bytes => JsonSerializer.Deserialize<RankFacts>(bytes)!)
            .ToArray();
        throw new UserErrorException(Sentence(ranks));
    }

    /// <summary>What differs, with the ranks of each value.</summary>
    internal static string Sentence(IReadOnlyList<RankFacts> ranks)
    {
        string[] differing =
        [
            .. ranks
                .SelectMany(rank => rank.Facts.Keys)
                .Distinct()
                .Order(StringComparer.Ordinal)
                .Where(key => ranks.Select(rank => rank.Facts.GetValueOrDefault(key)).Distinct().Count() > 1),
        ];
        string more = differing.Length > MostNamed ? $"; and {differing.Length - MostNamed} more" : "";
        return $"The ranks of this job were started differently: {string.Join("; ", differing.Take(MostNamed).Select(key => Values(key, ranks)))}{more}. "
            + "Give every rank the same configuration, --set, environment, data and build ('uniscale launch' passes on the variables that the configuration names; mpirun does with -x NAME, srun with --export).";
    }

    private static string Values(string key, IReadOnlyList<RankFacts> ranks)
    {
        var values = ranks
            .Select((rank, number) => (Value: rank.Facts.GetValueOrDefault(key, "absent"), Number: number))
            .GroupBy(rank => rank.Value, rank => rank.Number)
            .OrderByDescending(same => same.Count())
            .ThenBy(same => same.First());
        bool isSecret = key.EndsWith(ConfigurationDifference.SecretSuffix, StringComparison.Ordinal);
        return $"{key} is {string.Join(", ", values.Select((same, place) => $"{(!isSecret ? same.Key : place == 0 ? "one value" : "another")} on {RankNames.Of([.. same])} ({ranks[same.First()].Host})"))}";
    }

    private static bool IsOfHost(string key) =>
        key is "train.threads" or "data.tokenizer" or "evaluation.data" or "evaluation.task_files"
        || (key.EndsWith(".shards", StringComparison.Ordinal) && key.StartsWith("data.", StringComparison.Ordinal));
}

/// <summary>The facts of one rank.</summary>
/// <param name="Host">Where it runs.</param>
/// <param name="Facts">Its facts by name.</param>
internal sealed record RankFacts(string Host, SortedDictionary<string, string> Facts);
