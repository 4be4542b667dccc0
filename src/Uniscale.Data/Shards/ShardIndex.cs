using System.Buffers.Binary;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// The .idx half of a shard, memory-mapped: where sequences and documents begin. Opening it checks it against the size of its .bin.
/// </summary>
internal sealed class ShardIndex : IDisposable
{
    /// <summary>
    /// Up to this many sequences every length and offset is checked when a shard is opened; above, the first and last (and all by Verify).
    /// </summary>
    private const long CheckedWhenOpened = 1 << 16;

    private readonly MappedFile _file;
    private readonly string _path;
    private readonly long _lengths;
    private readonly long _offsets;
    private readonly long _marks;
    private readonly int _width;

    public ShardIndex(string path, long binBytes)
    {
        _path = path;
        _file = new MappedFile(path);
        try
        {
            Span<byte> header = stackalloc byte[ShardFormat.HeaderBytes];
            ReadHeader(path, header);
            Type = (TokenType)header[17];
            _width = ShardFormat.WidthOf(Type);
            if (_width == 0)
                throw Wrong(path, $"stores its tokens as type {header[17]}, which is no integer type", "tokenize the data again");
            SequenceCount = BinaryPrimitives.ReadInt64LittleEndian(header[18..]);
            long marks = BinaryPrimitives.ReadInt64LittleEndian(header[26..]);
            _lengths = ShardFormat.HeaderBytes;
            _offsets = _lengths + 4 * SequenceCount;
            _marks = _offsets + 8 * SequenceCount;
            CheckSize(path, marks);
            DocumentCount = Math.Max(0, marks - 1);
            TokenCount = binBytes / _width;
            CheckAgainst(path, binBytes, SequenceCount <= CheckedWhenOpened);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public TokenType Type { get; }

    public long SequenceCount { get; }

    public long DocumentCount { get; }

    public long TokenCount { get; }

    /// <summary>First token of a document; of document <see cref="DocumentCount"/>, the number of tokens.</summary>
    /// <exception cref="UserErrorException">The entry is damaged: not every one is looked at when a large index is opened.</exception>
    public long StartOf(long document)
    {
        long sequence = At<long>(_marks + 8 * document);
        if (sequence < 0 || sequence > SequenceCount)
            throw WrongMark(document, sequence);
        long start = sequence == SequenceCount ? TokenCount : At<long>(_offsets + 8 * sequence) / _width;
        return start >= 0 && start <= TokenCount
            ? start
            : throw Wrong(
                _path,
                $"lets document {document} begin at token {start} of {TokenCount}",
                "it is damaged: tokenize the data again"
            );
    }

    /// <summary>The document that a token belongs to; an empty one has none. O(log documents).</summary>
    public long DocumentAt(long position)
    {
        long low = 0,
            high = DocumentCount; // the answer d has StartOf(d) <= position < StartOf(d + 1)
        while (high - low > 1)
        {
            long middle = (low + high) / 2;
            if (StartOf(middle) <= position)
                low = middle;
            else
                high = middle;
        }
        return low;
    }

    /// <summary>Compares lengths, offsets and marks with each other and with the size of the .bin.</summary>
    /// <exception cref="UserErrorException">They disagree.</exception>
    public void CheckAgainst(string path, long binBytes, bool every)
    {
        long expected = 0;
        for (long i = every ? 0 : Math.Max(0, SequenceCount - 1); i < SequenceCount; i++)
        {
            long length = At<int>(_lengths + 4 * i),
                offset = At<long>(_offsets + 8 * i);
            if (length < 0 || (every && offset != expected))
                throw Wrong(
                    path,
                    $"says that sequence {i} has {length} tokens from byte {offset}, where byte {expected} was due",
                    "tokenize the data again"
                );
            expected = offset + length * _width;
        }
        if (expected != binBytes)
        {
            string binName = Path.GetFileName(ShardFormat.BinPath(ShardFormat.PrefixOf(path)));
            throw Wrong(
                path,
                $"describes {expected} bytes of tokens, but {binName} has {binBytes}",
                "one of the two was cut or replaced: copy both again"
            );
        }
        CheckMarks(path, every);
    }

    /// <summary>The first document begins with the first sequence, the last mark is the end: every token belongs to a document.</summary>
    private void CheckMarks(string path, bool every)
    {
        if (SequenceCount == 0)
            return;
        if (DocumentCount == 0)
            throw Wrong(
                path,
                $"has {SequenceCount} sequences but marks no document",
                "write one mark for the beginning of each document and one for the end, or tokenize the data again"
            );
        long first = At<long>(_marks),
            last = At<long>(_marks + 8 * DocumentCount),
            previous = 0;
        if (first != 0 || last != SequenceCount)
            throw Wrong(
                path,
                $"marks documents from sequence {first} to {last}, where it has sequences from 0 to {SequenceCount}",
                "tokenize the data again"
            );
        for (long d = 0; every && d <= DocumentCount; d++)
        {
            long mark = At<long>(_marks + 8 * d);
            if (mark < previous || mark > SequenceCount)
                throw WrongMark(d, mark);
            previous = mark;
        }
    }

    public void CheckUnchanged() => _file.CheckUnchanged();

    public void Dispose() => _file.Dispose();

    private UserErrorException WrongMark(long document, long sequence) =>
        Wrong(_path, $"lets document {document} begin at sequence {sequence} of {SequenceCount}", "tokenize the data again");

    private static UserErrorException Wrong(string path, string what, string remedy) => new($"{path} {what}; {remedy}.");

    private T At<T>(long offset)
        where T : unmanaged
    {
        Span<T> value = stackalloc T[1];
        _file.Read(offset, value);
        return value[0];
    }

    private void ReadHeader(string path, Span<byte> header)
    {
        if (_file.Length < ShardFormat.HeaderBytes)
            throw Wrong(
                path,
                $"has {_file.Length} bytes, fewer than the {ShardFormat.HeaderBytes} of a header",
                "it was cut: copy or tokenize it again"
            );
        _file.Read(0, header);
        if (!header[..9].SequenceEqual(ShardFormat.Magic))
            throw Wrong(path, "does not begin with MMIDIDX and so is no index of a token shard", "give the .idx that belongs to the .bin");
        ulong version = BinaryPrimitives.ReadUInt64LittleEndian(header[9..]);
        if (version != ShardFormat.Version)
            throw Wrong(
                path,
                $"has format version {version}, where version {ShardFormat.Version} is understood",
                "tokenize the data again"
            );
    }

    private void CheckSize(string path, long marks)
    {
        bool possible = SequenceCount >= 0 && marks >= 0 && SequenceCount < _file.Length && marks < _file.Length;
        long bytes = possible ? _marks + 8 * marks : 0;
        if (!possible || (_file.Length != bytes && _file.Length != bytes + SequenceCount)) // the optional last part has one byte a sequence
        {
            throw Wrong(
                path,
                $"has {_file.Length} bytes, which does not fit the {SequenceCount} sequences and {marks} document marks of its header",
                "it was cut or damaged: copy or tokenize it again"
            );
        }
    }
}
