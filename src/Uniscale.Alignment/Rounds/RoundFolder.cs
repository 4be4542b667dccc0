using System.Globalization;
using System.IO.Hashing;
using Uniscale.Alignment.Samples;
using Uniscale.Training.Runs;

namespace Uniscale.Alignment.Rounds;

/// <summary>
/// Where things lie in the directory of rounds: <c>round-1/</c> and so on, and <c>labels/</c> for what people have labelled.
/// </summary>
/// <param name="directory">The directory.</param>
/// <param name="round">Number of the round, from 1.</param>
public sealed class RoundFolder(string directory, int round)
{
    /// <summary>Folder of the files that people have labelled.</summary>
    public static string LabelsOf(string directory) => Path.Combine(directory, "labels");

    /// <summary>Number of the round.</summary>
    public int Round => round;

    /// <summary>Its folder, which is there from its beginning on.</summary>
    public string FullPath => Path.Combine(directory, NameOf(round));

    /// <summary>What becomes the folder once it is complete.</summary>
    public string Unfinished => Path.Combine(directory, $".{NameOf(round)}.unfinished");

    /// <summary>Configuration of the reward model.</summary>
    public string RewardConfiguration => Path.Combine(FullPath, "reward.yaml");

    /// <summary>Run of the reward model.</summary>
    public string Reward => Path.Combine(FullPath, "reward");

    /// <summary>Configuration of the policy.</summary>
    public string PolicyConfiguration => Path.Combine(FullPath, "policy.yaml");

    /// <summary>Run of the policy.</summary>
    public string Policy => Path.Combine(FullPath, "policy");

    /// <summary>Packs of comparisons.</summary>
    public string Packs => Path.Combine(FullPath, "pairs");

    /// <summary>What people had labelled when the round began.</summary>
    public string Labels => Path.Combine(FullPath, "labels.jsonl");

    /// <summary>Pairs of the fast path that rules have labelled.</summary>
    public string Patches => Path.Combine(FullPath, "fast", "patches.jsonl");

    /// <summary>Pairs of the fast path for people.</summary>
    public string FastPairs => Path.Combine(FullPath, "fast", "pairs.jsonl");

    /// <summary>Pairs of the slow path for people.</summary>
    public string SlowPairs => Path.Combine(FullPath, "slow", "pairs.jsonl");

    /// <summary>Answers of the policy after a step.</summary>
    public IReadOnlyList<RecordedAnswer> AnswersAt(long step) => RecordedAnswer.Read(AnswerRecorder.FileOf(Policy, step));

    /// <summary>A model by the run or checkpoint that a path names.</summary>
    public RoundModel ModelOf(string path)
    {
        var origin = StartingPoint.Find(path);
        string inside = Path.GetRelativePath(Path.GetFullPath(directory), origin.Folder);
        return new RoundModel(inside.StartsWith("..", StringComparison.Ordinal) ? origin.Folder : inside, origin.Digest);
    }

    /// <summary>A file with its digest.</summary>
    public static RoundFile FileOf(string path)
    {
        using var stream = File.OpenRead(path);
        var hash = new XxHash128();
        hash.Append(stream);
        return new RoundFile(path, Convert.ToHexStringLower(hash.GetCurrentHash()));
    }

    private static string NameOf(int round) => string.Create(CultureInfo.InvariantCulture, $"round-{round}");
}
