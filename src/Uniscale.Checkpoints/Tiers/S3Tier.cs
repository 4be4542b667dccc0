namespace Uniscale.Checkpoints.Tiers;

/// <summary>A prefix of a bucket of an S3-compatible object store (<see cref="S3Objects"/>).</summary>
public sealed class S3Tier : ITier
{
    private readonly S3Objects _objects;
    private readonly string _prefix;

    private S3Tier(S3Objects objects)
    {
        _objects = objects;
        _prefix = objects.Path.Length == 0 ? "" : objects.Path + "/";
    }

    /// <inheritdoc/>
    public string Name => _objects.Name;

    /// <summary>Opens <c>s3://bucket/prefix[?endpoint=URL]</c>; nothing is asked of the store yet.</summary>
    /// <exception cref="CheckpointException">It is no such location, or there are no credentials.</exception>
    public static S3Tier Open(string location) => new(S3Objects.Open(location));

    /// <inheritdoc/>
    public IReadOnlyList<string> List() => [.. _objects.List(_prefix).Select(held => held.Key[_prefix.Length..])];

    /// <inheritdoc/>
    public long? SizeOf(string key) => _objects.SizeOf(_prefix + key);

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, long> Sizes(string folder)
    {
        string prefix = $"{_prefix}{folder}/";
        return _objects.List(prefix).ToDictionary(held => held.Key[prefix.Length..], held => held.Length);
    }

    /// <inheritdoc/>
    public void AbandonUploads(Func<string, bool> keys) =>
        _objects.AbandonUploads(_prefix, key => keys(key[_prefix.Length..]));

    /// <inheritdoc/>
    public void Put(string key, string file) => _objects.Put(_prefix + key, file);

    /// <inheritdoc/>
    public void Get(string key, string file) => _objects.Get(_prefix + key, file);

    /// <inheritdoc/>
    public byte[]? Read(string key) => _objects.Read(_prefix + key);

    /// <inheritdoc/>
    public void Delete(string key) => _objects.Delete(_prefix + key);

    /// <inheritdoc/>
    public void Dispose() => _objects.Dispose();
}
