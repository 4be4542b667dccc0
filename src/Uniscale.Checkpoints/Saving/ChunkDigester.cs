using System.IO.Hashing;
using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Digests of a rank's file.</summary>
/// <param name="Header">Digest of its header.</param>
/// <param name="Table">Digests of the chunks of its slices in the order of the file, and zeros up to its end: the last bytes of the
/// file.</param>
internal sealed record ShardDigests(string Header, byte[] Table)
{
    /// <summary>Digest of the digests.</summary>
    public string TableDigest { get; } = Digest.Of(Table);

    public bool SameAs(ShardDigests other) => Header == other.Header && TableDigest == other.TableDigest;
}

/// <summary>Takes the bytes of a rank's file from the first to the last of its slices and makes its digests.</summary>
internal sealed class ChunkDigester
{
    private readonly ShardImage _image;
    private readonly XxHash128 _hash = new();
    private readonly byte[] _table;
    private int _digests;
    private int _entry;
    private string? _header;
    private long _position;
    private long _chunkEnd;

    public ChunkDigester(ShardImage image)
    {
        _image = image;
        _chunkEnd = image.Header.Length;
        _table = new byte[image.SizeBytes - image.TableStart];
    }

    /// <summary>Takes the next bytes; what is behind the slices is left out.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..(int)Math.Min(bytes.Length, _image.TableStart - _position)];
        while (bytes.Length > 0)
        {
            int count = (int)Math.Min(bytes.Length, _chunkEnd - _position);
            _hash.Append(bytes[..count]);
            bytes = bytes[count..];
            _position += count;
            if (_position == _chunkEnd)
                EndChunk();
        }
    }

    /// <summary>The digests, once all bytes are in.</summary>
    public ShardDigests Finish() =>
        _position == _image.TableStart
            ? new ShardDigests(_header!, _table)
            : throw new InvalidOperationException($"digests were asked for after {_position} of {_image.TableStart} bytes");

    private void EndChunk()
    {
        var digest = _table.AsSpan(_digests * Digest.SizeBytes);
        if (_header is null)
        {
            Span<byte> header = stackalloc byte[Digest.SizeBytes];
            _hash.GetHashAndReset(header);
            _header = Convert.ToHexStringLower(header);
        }
        else
        {
            _hash.GetHashAndReset(digest);
            _digests++;
            if (_image.Entries[_entry].End == _position)
                _entry++;
        }
        if (_entry < _image.Entries.Count)
            _chunkEnd = Math.Min(_position + Digest.ChunkBytes, _image.Entries[_entry].End);
    }
}
