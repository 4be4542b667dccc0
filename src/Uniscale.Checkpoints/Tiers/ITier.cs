namespace Uniscale.Checkpoints.Tiers;

/// <summary>
/// A second place for checkpoints: another directory, an object store. It holds objects by key, such as
/// <c>step-00000100.1f2e3d4c/manifest.json</c>. Failures are <see cref="CheckpointException"/> with one sentence.
/// </summary>
public interface ITier : IDisposable
{
    /// <summary>Name for messages, e.g. <c>s3://bucket/run</c>.</summary>
    string Name { get; }

    /// <summary>Keys of all objects.</summary>
    IReadOnlyList<string> List();

    /// <summary>Bytes of an object; null: there is none.</summary>
    long? SizeOf(string key);

    /// <summary>Sizes of the objects in a folder, by their names there.</summary>
    IReadOnlyDictionary<string, long> Sizes(string folder);

    /// <summary>Gives up what was begun to be stored in parts and not finished, of some keys.</summary>
    void AbandonUploads(Func<string, bool> keys) { }

    /// <summary>
    /// Stores a file; it is durable, or not there, when the call ends. What a call that was broken off has stored of it need not be stored
    /// again.
    /// </summary>
    void Put(string key, string file);

    /// <summary>Fetches an object to a new file and syncs it.</summary>
    void Get(string key, string file);

    /// <summary>A small object's bytes, or null where there is none.</summary>
    byte[]? Read(string key);

    /// <summary>Deletes an object; it may be gone already.</summary>
    void Delete(string key);
}

/// <summary>Opens tiers by location.</summary>
public static class TierLocation
{
    /// <summary><c>s3://bucket/prefix[?endpoint=URL]</c> is an object store, anything else a directory.</summary>
    public static ITier Open(string location) =>
        S3Objects.IsLocation(location) ? S3Tier.Open(location) : new DirectoryTier(location);
}
