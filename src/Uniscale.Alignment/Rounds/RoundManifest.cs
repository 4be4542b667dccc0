using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Uniscale.Configuration;

namespace Uniscale.Alignment.Rounds;

/// <summary>A file that a round reads, as it was when the round began.</summary>
/// <param name="Path">The file.</param>
/// <param name="Digest">XXH128 of its bytes.</param>
public sealed record RoundFile(string Path, string Digest);

/// <summary>A model of a round.</summary>
/// <param name="Checkpoint">Folder of its checkpoint; of the round's own runs relative to the rounds' directory.</param>
/// <param name="Digest">Digest of the checkpoint's manifest, which has those of all its data.</param>
public sealed record RoundModel(string Checkpoint, string Digest);

/// <summary>A mean before and after, over the same prompts.</summary>
/// <param name="Early">Of the early policy.</param>
/// <param name="Late">Of the late one.</param>
/// <param name="Deviations">Mean change in its standard errors.</param>
public sealed record Change(double Early, double Late, double Deviations);

/// <summary>A way in which the reward model seems to be deceived in a domain.</summary>
/// <param name="Domain">The domain.</param>
/// <param name="Name">longer, shorter, repetition, held-out, alike, unended, or the user's own.</param>
/// <param name="Score">What the reward model says.</param>
/// <param name="Measure">What has moved with it.</param>
/// <param name="Pairs">Pairs of early and late answers that show it.</param>
public sealed record HackPattern(string Domain, string Name, Change Score, Change Measure, int Pairs);

/// <summary>What became of the pairs of the fast path.</summary>
/// <param name="Pairs">Pairs of all patterns; one that shows several counts once.</param>
/// <param name="Patches">Those that rules have labelled.</param>
/// <param name="Undecided">Those of which rules prefer neither answer.</param>
/// <param name="Waiting">Those that wait for people.</param>
public sealed record FastPathResult(int Pairs, int Patches, int Undecided, int Waiting);

/// <summary>What a round is made of, and what came of it: written whole at its beginning and after each of its stages.</summary>
public sealed record RoundManifest
{
    /// <summary>Name of the file in a round's folder.</summary>
    public const string FileName = "manifest.json";

    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Number of the round, from 1.</summary>
    public required int Round { get; init; }

    /// <summary>Seed of the round's runs.</summary>
    public required long Seed { get; init; }

    /// <summary>What the policy begins with, which is its reference.</summary>
    public required RoundModel Start { get; init; }

    /// <summary>The reward model that nothing is learned from; null: there is none.</summary>
    public RoundModel? HeldOut { get; init; }

    /// <summary>Comparisons that the reward model learns from; empty: it was there before.</summary>
    public required IReadOnlyList<RoundFile> Comparisons { get; init; }

    /// <summary>Comparisons that are patches of earlier rounds, copies not counted.</summary>
    public required int Patches { get; init; }

    /// <summary>Comparisons that people have labelled.</summary>
    public required int Labels { get; init; }

    /// <summary>Prompts whose answers are compared.</summary>
    public required IReadOnlyList<RoundFile> Prompts { get; init; }

    /// <summary>The reward model; null: it is not trained yet.</summary>
    public RoundModel? RewardModel { get; init; }

    /// <summary>Step of the early policy.</summary>
    public required long Early { get; init; }

    /// <summary>The late policy; null: it is not trained yet.</summary>
    public RoundModel? Policy { get; init; }

    /// <summary>What changed from the early to the late policy, by domain and measure; null: not looked at yet.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, Change>>? Changes { get; init; }

    /// <summary>Patterns of deceit; null: not looked for yet.</summary>
    public IReadOnlyList<HackPattern>? Patterns { get; init; }

    /// <summary>The fast path's pairs; null: not made yet.</summary>
    public FastPathResult? Fast { get; init; }

    /// <summary>Pairs that were written for people; null: not yet, and with them the round is done.</summary>
    public int? Slow { get; init; }

    /// <summary>Writes the manifest into a round's folder, whole or not at all.</summary>
    public void Write(string folder)
    {
        string path = Path.Combine(folder, FileName);
        using (var stream = new FileStream(path + ".unfinished", FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(stream, this, Readable);
            stream.WriteByte((byte)'\n');
            stream.Flush(flushToDisk: true);
        }
        File.Move(path + ".unfinished", path, overwrite: true);
    }

    /// <summary>Reads the manifest of a round's folder; null: the round has not begun.</summary>
    /// <exception cref="UserErrorException">It is damaged.</exception>
    public static RoundManifest? Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return null;
        try
        {
            return JsonSerializer.Deserialize<RoundManifest>(File.ReadAllText(path), Readable)
                ?? throw new JsonException("null is no manifest");
        }
        catch (JsonException error)
        {
            throw new UserErrorException(
                $"{path} is damaged ({error.Message.TrimEnd('.')}): bring it back, or remove the folder of the round to do it again.",
                error
            );
        }
    }
}
