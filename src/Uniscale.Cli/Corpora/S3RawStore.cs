using System.IO.Enumeration;
using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Tiers;
using Uniscale.Configuration;
using Uniscale.Corpus;

namespace Uniscale.Cli.Corpora;

/// <summary>
/// Raw files of an object store: an object, all below a prefix, or those whose keys a pattern with <c>*</c> fits
/// (<c>s3://bucket/web/*.wet.gz</c>).
/// </summary>
internal sealed class S3RawStore : IRawStore, IDisposable
{
    private readonly string _location;
    private readonly S3Objects _objects;

    private S3RawStore(string location, S3Objects objects) => (_location, _objects) = (location, objects);

    /// <summary>Opens <c>s3://bucket/path[?endpoint=URL]</c>.</summary>
    /// <exception cref="UserErrorException">It is no such location, or there are no credentials.</exception>
    public static S3RawStore Open(string location)
    {
        try
        {
            return new S3RawStore(location, S3Objects.Open(location));
        }
        catch (CheckpointException failure)
        {
            throw new UserErrorException($"{failure.Message.TrimEnd('.')}.", failure);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<StoredRawFile> List()
    {
        string path = _objects.Path;
        int star = path.IndexOf('*', StringComparison.Ordinal);
        string fixedPart = star < 0 ? path : path[..star];
        int folder = fixedPart.LastIndexOf('/') + 1;
        bool Fits(string key) =>
            star >= 0
                ? FileSystemName.MatchesSimpleExpression(path, key, ignoreCase: false)
                : path.Length == 0 || key == path || key.StartsWith(path + "/", StringComparison.Ordinal);
        string NameOf(string key) => star < 0 && key.Length > path.Length && path.Length > 0 ? key[(path.Length + 1)..] : key[folder..];

        // Some tools keep an empty object for a folder.
        var found = Guard(() => _objects.List(fixedPart)).Where(held => Fits(held.Key) && !held.Key.EndsWith('/'));
        StoredRawFile[] files =
        [
            .. found.Select(held => new StoredRawFile(_objects.NameOf(held.Key), NameOf(held.Key), held.Length, held.Tag)),
        ];
        return files.Length > 0
            ? files
            : throw new UserErrorException($"{_location} names no objects: give a key, a prefix that ends at a /, or a pattern with *.");
    }

    /// <inheritdoc/>
    public void Get(StoredRawFile file, string path) =>
        Guard(() =>
        {
            _objects.Get(_objects.KeyOf(file.Path), path);
            long length = new FileInfo(path).Length;
            return length == file.Length
                ? 0
                : throw new RawStoreException(
                    $"{file.Path} had {file.Length} bytes when it was listed and has {length} now: import it again when nobody writes it."
                );
        });

    /// <inheritdoc/>
    public Stream Open(StoredRawFile file) => Guard(() => _objects.OpenRead(_objects.KeyOf(file.Path)));

    /// <inheritdoc/>
    public void Dispose() => _objects.Dispose();

    private static T Guard<T>(Func<T> body)
    {
        try
        {
            return body();
        }
        catch (CheckpointException failure)
        {
            throw new RawStoreException(failure.Message, failure);
        }
    }
}
