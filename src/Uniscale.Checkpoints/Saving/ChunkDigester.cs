using System.IO.Hashing;
using System.Text;
using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Digests of a rank's file: its header, and the chunks of each of its slices.</summary>
/// <param name="SizeBytes">Size of the file.</param>
/// <param name="HeaderDigest">Digest of its header.</param>
/// <param name="SliceDigests">Digests of the chunks of each slice, in the order of the file.</param>
internal sealed record ShardDigests(long SizeBytes, string HeaderDigest, string[] SliceDigests)
{
    public bool SameAs(ShardDigests other) =>
        SizeBytes == other.SizeBytes && HeaderDigest == other.HeaderDigest && SliceDigests.AsSpan().SequenceEqual(other.SliceDigests);
}

/// <summary>Takes the bytes of a rank's file from the first to the last and makes its digests.</summary>
internal sealed class ChunkDigester
{
    private readonly ShardImage _image;
    private readonly XxHash128 _hash = new();
    private readonly StringBuilder _current = new();
    private readonly List<string> _slices = [];
    private string? _header;
    private long _position;
    private long _chunkEnd;

    public ChunkDigester(ShardImage image)
    {
        _image = image;
        _chunkEnd = image.Header.Length;
    }

    /// <summary>Takes the next bytes; what is past the end of the file is left out.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..(int)Math.Min(bytes.Length, _image.SizeBytes - _position)];
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
    public ShardDigests Finish()
    {
        if (_position != _image.SizeBytes)
            throw new InvalidOperationException($"digests were asked for after {_position} of {_image.SizeBytes} bytes");
        return new ShardDigests(_image.SizeBytes, _header!, [.. _slices]);
    }

    // A slice without elements ends where the one before it does, with no digest.
    private void EndChunk()
    {
        Span<byte> hash = stackalloc byte[16];
        _hash.GetHashAndReset(hash);
        string digest = Convert.ToHexStringLower(hash);
        if (_header is null)
            _header = digest;
        else
            _current.Append(digest);
        for (; _slices.Count < _image.Entries.Count && _image.Entries[_slices.Count].End == _position; _current.Clear())
            _slices.Add(_current.ToString());
        if (_slices.Count < _image.Entries.Count)
            _chunkEnd = Math.Min(_position + Digest.ChunkBytes, _image.Entries[_slices.Count].End);
    }
}
