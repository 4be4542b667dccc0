using System.Globalization;
using System.IO.Hashing;
using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Corpus.Cleaning;

/// <summary>
/// OUTPUT/.cleaning: what is under way and what has been done, so that a cleaning that was killed goes on where it stopped. A shard of a
/// stage is done when its
/// tally is there; everything gets its name only when it is whole.
/// </summary>
internal sealed class WorkFolder : IDisposable
{
    private readonly string _output;
    private readonly string _root;
    private readonly WorkLock _lock;

    /// <summary>Opens the folder, or goes on with the one that is there.</summary>
    /// <exception cref="UserErrorException">The output holds something else, or another process cleans into it.</exception>
    public WorkFolder(CleaningPipeline pipeline, IReadOnlyList<CleaningShard> shards)
    {
        _output = pipeline.Output;
        _root = Path.Combine(pipeline.Output, ".cleaning");
        string identity = Path.Combine(_root, "identity"),
            own = Identity(pipeline, shards);
        if (File.Exists(identity))
        {
            if (File.ReadAllText(identity) != own)
                throw new UserErrorException(
                    $"{_output} holds a cleaning of other documents or with other settings; give another output, or remove {_output}."
                );
        }
        else if (Directory.Exists(_output) && Directory.EnumerateFileSystemEntries(_output).Any(path => path != _root))
            throw new UserErrorException($"{_output} is not empty; give a new directory as output, or remove it.");
        _lock = new WorkLock(Path.Combine(_root, ".lock"), $"A cleaning into {_output}", "give another output", FileOptions.DeleteOnClose);
        WriteWhole(identity, own);
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    public string Documents(int stage, CleaningShard shard) => Within(stage, $"{shard.Number:D5}.jsonl.zst");

    public string Observations(int stage, CleaningShard shard) => Within(stage, $"{shard.Number:D5}.observations");

    public string Decisions(int stage, CleaningShard shard) => Within(stage, $"{shard.Number:D5}.decisions");

    public bool IsDone(int stage, CleaningShard shard) => File.Exists(TallyPath(stage, shard));

    public bool IsDecided(int stage) => File.Exists(Within(stage, "decided"));

    public void Begin(int stage) => Directory.CreateDirectory(Within(stage, ""));

    public void Done(int stage, CleaningShard shard, StageTally tally) =>
        WriteWhole(TallyPath(stage, shard), JsonSerializer.Serialize(tally));

    public void Decided(int stage) => WriteWhole(Within(stage, "decided"), "");

    public StageTally Tally(int stage, CleaningShard shard) =>
        JsonSerializer.Deserialize<StageTally>(File.ReadAllText(TallyPath(stage, shard)))!;

    /// <summary>Processor time used by this and earlier runs.</summary>
    public TimeSpan ProcessorTime
    {
        get =>
            File.Exists(TimePath)
                ? TimeSpan.FromSeconds(double.Parse(File.ReadAllText(TimePath), CultureInfo.InvariantCulture))
                : TimeSpan.Zero;
        set => WriteWhole(TimePath, value.TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture));
    }

    /// <summary>Removes the documents and observations of a stage that the next one has taken over.</summary>
    public void Forget(int stage, IEnumerable<CleaningShard> shards)
    {
        foreach (var shard in shards)
        {
            File.Delete(Documents(stage, shard));
            File.Delete(Observations(stage, shard));
            File.Delete(Decisions(stage, shard));
        }
    }

    /// <summary>Moves the last stage's documents to their place in the store.</summary>
    public void Publish(int stage, IEnumerable<CleaningShard> shards)
    {
        foreach (var shard in shards)
        {
            string target = Path.Combine(_output, shard.Output);
            if (!File.Exists(Documents(stage, shard)))
                continue; // moved by an earlier run, or nothing was kept
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Move(Documents(stage, shard), target, overwrite: true);
        }
    }

    public static void WriteWhole(string path, string text)
    {
        File.WriteAllText(path + ".unfinished", text);
        File.Move(path + ".unfinished", path, overwrite: true);
    }

    private string TimePath => Path.Combine(_root, "processor-seconds");

    private string TallyPath(int stage, CleaningShard shard) => Within(stage, $"{shard.Number:D5}.json");

    private string Within(int stage, string name) => Path.Combine(_root, $"stage-{stage}", name);

    /// <summary>A digest of the settings and of name, size and time of every file that is read.</summary>
    private static string Identity(CleaningPipeline pipeline, IReadOnlyList<CleaningShard> shards)
    {
        var digest = new XxHash128();
        digest.Append(JsonSerializer.SerializeToUtf8Bytes(pipeline));
        foreach (
            string path in shards
                .Select(shard => shard.Input)
                .Concat(pipeline.Rules.SelectMany(rule => rule.Files))
                .Concat(pipeline.Tokenizer is { } tokenizer ? [tokenizer] : [])
        )
        {
            var file = new FileInfo(path);
            if (!file.Exists)
                throw new UserErrorException($"{path} does not exist; the pipeline names it.");
            digest.Append(
                JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        file.FullName,
                        file.Length,
                        file.LastWriteTimeUtc.Ticks,
                    }
                )
            );
        }
        return Convert.ToHexStringLower(digest.GetCurrentHash());
    }
}
