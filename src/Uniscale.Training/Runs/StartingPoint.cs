using System.IO.Hashing;
using Uniscale.Checkpoints.Format;
using Uniscale.Configuration;

namespace Uniscale.Training.Runs;

/// <summary>
/// The checkpoint whose weights a run began with, kept in its own checkpoints: the same one serves as reference when the run goes on.
/// </summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Digest">Digest of its manifest, which has the digests of all its data.</param>
public sealed record StartingPoint(string Folder, string Digest)
{
    private const string Key = "start_from";

    /// <summary>The newest checkpoint of what <c>start_from</c> names.</summary>
    /// <exception cref="UserErrorException">There is none.</exception>
    public static StartingPoint Find(string path) => Of(CheckpointInput.Find(path, step: null));

    /// <summary>A checkpoint by its folder.</summary>
    internal static StartingPoint Of(string folder)
    {
        folder = Path.GetFullPath(folder);
        return new StartingPoint(folder, DigestOf(folder));
    }

    /// <summary>What a checkpoint says; null: its run began with weights of its own.</summary>
    public static StartingPoint? Read(IReadOnlyDictionary<string, string> extra, string key = Key) =>
        extra.TryGetValue(key, out string? text) && text.Split(' ', 2) is [var digest, var folder]
            ? new StartingPoint(folder, digest)
            : null;

    /// <summary>For a checkpoint to keep.</summary>
    internal IEnumerable<KeyValuePair<string, string>> ToExtra(string key = Key) => [new(key, $"{Digest} {Folder}")];

    /// <summary>Refuses to read another checkpoint than the one that the run began with.</summary>
    /// <exception cref="UserErrorException">It is gone, or not what it was.</exception>
    public void Check()
    {
        if (!Directory.Exists(Folder))
            throw new UserErrorException(
                $"The run compares with the checkpoint {Folder} that it began with, which is not there any more: put it back."
            );
        if (DigestOf(Folder) != Digest)
            throw new UserErrorException(
                $"The checkpoint {Folder} is not the one that the run began with and compares with: put that one back."
            );
    }

    private static string DigestOf(string folder)
    {
        string manifest = Path.Combine(folder, CheckpointManifest.FileName);
        return File.Exists(manifest)
            ? Convert.ToHexStringLower(XxHash128.Hash(File.ReadAllBytes(manifest)))
            : throw new UserErrorException(
                $"There is no checkpoint in {folder}: set start_from to a run, a checkpoint or an imported model."
            );
    }
}
