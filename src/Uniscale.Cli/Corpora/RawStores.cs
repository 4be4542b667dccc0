using Uniscale.Checkpoints.Tiers;
using Uniscale.Corpus;

namespace Uniscale.Cli.Corpora;

/// <summary>What a user gave as raw files, told apart: paths of this machine, and object stores, open until this is disposed.</summary>
internal sealed class RawStores : IDisposable
{
    private readonly List<S3RawStore> _stores = [];

    /// <param name="given">Files, folders and s3:// locations.</param>
    /// <exception cref="Configuration.UserErrorException">What names an object store is no location, or there are no credentials.</exception>
    public RawStores(IReadOnlyList<string> given)
    {
        Paths = [.. given.Where(path => !S3Objects.IsLocation(path))];
        try
        {
            foreach (string location in given.Where(S3Objects.IsLocation))
                _stores.Add(S3RawStore.Open(location));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Paths of this machine.</summary>
    public IReadOnlyList<string> Paths { get; }

    /// <summary>The object stores.</summary>
    public IReadOnlyList<IRawStore> Stores => _stores;

    /// <inheritdoc/>
    public void Dispose() => _stores.ForEach(store => store.Dispose());
}
