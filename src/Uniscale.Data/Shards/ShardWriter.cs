using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// Writes a shard document by document in bounded memory: tokens go straight to PREFIX.bin, lengths are kept (4 bytes a document) for
/// PREFIX.idx.
/// All files carry a temporary name until <see cref="Complete"/>, so that a shard that exists is whole.
/// </summary>
public sealed class ShardWriter : IDisposable
{
    internal const string Unfinished = ".unfinished";

    private readonly string _prefix;
    private readonly FileStream _bin;
    private readonly List<int> _lengths = [];
    private readonly TokenType _type;
    private byte[] _buffer = new byte[1 << 16];
    private readonly XxHash128 _digest = new();
    private readonly FileStream? _marks;
    private long _open;
    private bool _completed;

    /// <param name="prefix">Path without extension; its directory is created.</param>
    /// <param name="vocabulary">Number of token values; decides between 16 and 32 bits.</param>
    public ShardWriter(string prefix, int vocabulary)
        : this(prefix, vocabulary < ShardFormat.WideVocabulary ? TokenType.UInt16 : TokenType.Int32) { }

    /// <summary>Writes a shard of packs, with its marks.</summary>
    /// <param name="prefix">Path without extension; its directory is created.</param>
    /// <param name="vocabulary">Number of token values; decides between 16 and 32 bits.</param>
    /// <param name="kind">What the packs hold.</param>
    /// <param name="packTokens">Tokens of a pack.</param>
    public ShardWriter(string prefix, int vocabulary, PackKind kind, int packTokens)
        : this(prefix, vocabulary)
    {
        _marks = new FileStream(ShardMarks.PathOf(_prefix) + Unfinished, FileMode.Create, FileAccess.Write, FileShare.Read, 1 << 16);
        _marks.Write(ShardMarks.Header(kind, packTokens));
    }

    /// <param name="prefix">Path without extension; its directory is created.</param>
    /// <param name="type">How tokens are stored: <see cref="TokenType.UInt16"/> or <see cref="TokenType.Int32"/>.</param>
    public ShardWriter(string prefix, TokenType type)
    {
        if (type is not (TokenType.UInt16 or TokenType.Int32))
            throw new ArgumentException($"Shards are written with 16 or 32 bits a token, not as {type}.", nameof(type));
        _prefix = ShardFormat.PrefixOf(prefix);
        _type = type;
        if (Path.GetDirectoryName(Path.GetFullPath(_prefix)) is { } directory)
            Directory.CreateDirectory(directory);
        try
        {
            _bin = new FileStream(ShardFormat.BinPath(_prefix) + Unfinished, FileMode.Create, FileAccess.Write, FileShare.Read, 1 << 20);
        }
        catch (IOException error) when (File.Exists(ShardFormat.BinPath(_prefix) + Unfinished))
        {
            throw new UserErrorException(
                $"{_prefix} is being written by another process ({error.Message.TrimEnd('.')}): wait for its end, or write elsewhere.",
                error
            );
        }
    }

    /// <summary>Tokens written so far.</summary>
    public long TokenCount { get; private set; }

    /// <summary>Documents written so far.</summary>
    public int DocumentCount => _lengths.Count;

    /// <summary>Appends one document; an empty one is left out.</summary>
    public void Add(ReadOnlySpan<int> tokens)
    {
        Append(tokens);
        EndDocument();
    }

    /// <summary>Appends tokens to the document that is being written.</summary>
    public void Append(ReadOnlySpan<int> tokens)
    {
        var stored = _type == TokenType.Int32 && BitConverter.IsLittleEndian ? MemoryMarshal.AsBytes(tokens) : Encode(tokens);
        _bin.Write(stored);
        _digest.Append(stored);
        _open += tokens.Length;
        TokenCount += tokens.Length;
    }

    /// <summary>Appends tokens of a pack to the document that is being written.</summary>
    public void Append(ReadOnlySpan<int> tokens, ReadOnlySpan<TokenMarks> marks)
    {
        if (_marks is null || tokens.Length != marks.Length)
            throw new InvalidOperationException(
                $"A shard of packs takes a mark for each token: {tokens.Length} tokens came with {marks.Length}."
            );
        Append(tokens);
        _marks.Write(MemoryMarshal.Cast<TokenMarks, byte>(marks));
    }

    /// <summary>Ends the document; nothing happens where it has no tokens.</summary>
    /// <exception cref="InvalidOperationException">The document has more tokens than the format can say (2^31 - 1).</exception>
    public void EndDocument()
    {
        if (_open > int.MaxValue)
            throw new InvalidOperationException($"A document of {_open} tokens does not fit a shard, whose lengths are 32-bit; cut it.");
        if (_open > 0)
            _lengths.Add((int)_open);
        _open = 0;
    }

    /// <summary>Removes a shard; the index first, so that what is left of an interrupted removal is no shard.</summary>
    /// <returns>True where there was one.</returns>
    public static bool Remove(string prefix)
    {
        prefix = ShardFormat.PrefixOf(prefix);
        bool existed = File.Exists(ShardFormat.BinPath(prefix)) || File.Exists(ShardFormat.IndexPath(prefix));
        File.Delete(ShardFormat.IndexPath(prefix));
        File.Delete(ShardFormat.BinPath(prefix));
        File.Delete(ShardMarks.PathOf(prefix));
        return existed;
    }

    /// <summary>
    /// Writes the index and gives the files their names, the index last; a shard of that name is gone before, so that no two halves of two
    /// meet.
    /// </summary>
    /// <returns>Digests of what was written.</returns>
    public ShardDigests Complete()
    {
        EndDocument();
        _bin.Flush(flushToDisk: true);
        _bin.Dispose();
        string index = ShardFormat.IndexPath(_prefix);
        WriteIndex(index + Unfinished);
        _marks?.Flush(flushToDisk: true);
        _marks?.Dispose();
        Remove(_prefix);
        // Before the tokens: without their marks they would be taken for plain text.
        string marks = ShardMarks.PathOf(_prefix);
        if (_marks is not null)
            File.Move(marks + Unfinished, marks, overwrite: true);
        File.Move(ShardFormat.BinPath(_prefix) + Unfinished, ShardFormat.BinPath(_prefix), overwrite: true);
        File.Move(index + Unfinished, index, overwrite: true);
        _completed = true;
        using var shard = TokenShard.Open(_prefix);
        return new ShardDigests(
            Convert.ToHexStringLower(_digest.GetCurrentHash()),
            ShardDigests.OfFile(index),
            shard.Fingerprint,
            _marks is null ? null : ShardDigests.OfFile(marks)
        );
    }

    /// <summary>Closes the files; what was not completed is removed.</summary>
    public void Dispose()
    {
        _bin.Dispose();
        _marks?.Dispose();
        if (_completed)
            return;
        File.Delete(ShardFormat.BinPath(_prefix) + Unfinished);
        File.Delete(ShardMarks.PathOf(_prefix) + Unfinished);
    }

    private ReadOnlySpan<byte> Encode(ReadOnlySpan<int> tokens)
    {
        int width = ShardFormat.WidthOf(_type);
        if (_buffer.Length < tokens.Length * width)
            _buffer = new byte[tokens.Length * width];
        for (int i = 0; i < tokens.Length; i++)
        {
            if (width == 2)
                BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(2 * i), checked((ushort)tokens[i]));
            else
                BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(4 * i), tokens[i]);
        }
        return _buffer.AsSpan(0, tokens.Length * width);
    }

    private void WriteIndex(string path)
    {
        using var writer = new BinaryWriter(new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20));
        writer.Write(ShardFormat.Magic);
        writer.Write(ShardFormat.Version);
        writer.Write((byte)_type);
        writer.Write((ulong)_lengths.Count);
        writer.Write((ulong)_lengths.Count + 1);
        foreach (int length in _lengths)
            writer.Write(length);
        long offset = 0;
        foreach (int length in _lengths)
        {
            writer.Write(offset);
            offset += (long)length * ShardFormat.WidthOf(_type);
        }
        for (long document = 0; document <= _lengths.Count; document++)
            writer.Write(document);
        writer.Flush();
        ((FileStream)writer.BaseStream).Flush(flushToDisk: true);
    }
}
