using System.Buffers.Binary;
using System.IO.Hashing;
using SharpCompress.Compressors.LZMA;

namespace Uniscale.Corpus.Reading.Decompression;

/// <summary>
/// Reads .xz files (The .xz File Format 1.2.1): all streams, and of each the headers, the blocks, the index and the footer, with every
/// checksum. The library's own reader takes the first stream
/// for the file, and compares no checksum of what comes out; of it, the decoder of LZMA2 alone is used.
/// </summary>
internal sealed class XzStreams(PeekStream input) : ReadOnlyStream
{
    private const int HeaderBytes = 12,
        Unit = 4;
    private const ulong Lzma2 = 0x21;

    private readonly List<(long Unpadded, long Uncompressed)> _blocks = [];
    private XzCheck? _check;
    private LzmaStream? _block;
    private long _start,
        _length,
        _headerBytes;
    private byte _checkType;
    private bool _isFirst = true;

    public static ReadOnlySpan<byte> Magic => [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0];

    public override int Read(Span<byte> buffer)
    {
        while (!buffer.IsEmpty && (_block is not null || NextBlock()))
        {
            int read = _block!.Read(buffer);
            if (read > 0)
            {
                _check!.Append(buffer[..read]);
                _length += read;
                return read;
            }
            EndBlock();
        }
        return 0;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _block?.Dispose();
            input.Dispose();
        }
        base.Dispose(disposing);
    }

    private bool NextBlock()
    {
        while (true)
        {
            if (_check is null && !NextStream())
                return false;
            if (Peek(1)[0] != 0)
                break;
            EndStream();
        }
        int size = (Peek(1)[0] + 1) * Unit;
        var header = Peek(size);
        CompareCrc32(header[..^4], header[^4..]);
        byte flags = header[1];
        int at = 2;
        if ((flags & 0x40) != 0)
            Number(header, ref at);
        if ((flags & 0x80) != 0)
            Number(header, ref at);
        if ((flags & 3) != 0 || Number(header, ref at) != Lzma2 || Number(header, ref at) != 1)
            throw new InvalidDataException("xz: it uses filters for programs, which is no text");
        byte[] properties = [header[at]];
        input.Skip(size);
        (_headerBytes, _start, _length) = (size, input.Position, 0);
        _block = LzmaStream.Create(properties, input, -1, -1, null, isLzma2: true, leaveOpen: true);
        return true;
    }

    private void EndBlock()
    {
        _block!.Dispose();
        _block = null;
        long compressed = input.Position - _start;
        SkipZeros((int)(-compressed & (Unit - 1)));
        Span<byte> check = stackalloc byte[XzCheck.MostBytes];
        int size = _check!.GetAndReset(check);
        if (!Peek(size).SequenceEqual(check[..size]))
            throw new InvalidDataException("xz: the checksum of a block is wrong");
        input.Skip(size);
        _blocks.Add((_headerBytes + compressed + size, _length));
    }

    private bool NextStream()
    {
        if (!_isFirst)
        {
            while (input.Peek(Unit).Span is { Length: Unit } padding && padding.IndexOfAnyExcept((byte)0) < 0)
                input.Skip(Unit);
            if (input.Peek(1).IsEmpty)
                return false;
        }
        var header = Peek(HeaderBytes);
        if (!header.StartsWith(Magic))
            throw new InvalidDataException("xz: behind a stream stands what is none");
        CompareCrc32(header[6..8], header[8..12]);
        _checkType = header[7];
        _check = header[6] == 0 ? XzCheck.Of(_checkType) : throw new InvalidDataException("xz: it is of a later version");
        input.Skip(HeaderBytes);
        _blocks.Clear();
        _isFirst = false;
        return true;
    }

    /// <summary>The index lists the blocks once more; the footer says how long it is.</summary>
    private void EndStream()
    {
        var crc = new Crc32();
        long start = input.Position;
        Copy(1, crc);
        bool agrees = NextNumber(crc) == (ulong)_blocks.Count;
        foreach ((long unpadded, long uncompressed) in _blocks)
            agrees = agrees && NextNumber(crc) == (ulong)unpadded && NextNumber(crc) == (ulong)uncompressed;
        if (!agrees)
            throw new InvalidDataException("xz: its index is not that of its blocks");
        int padding = (int)(-(input.Position - start) & (Unit - 1));
        crc.Append(Peek(padding));
        SkipZeros(padding);
        if (BinaryPrimitives.ReadUInt32LittleEndian(Peek(4)) != crc.GetCurrentHashAsUInt32())
            throw new InvalidDataException("xz: the checksum of its index is wrong");
        input.Skip(4);
        long index = input.Position - start;
        var footer = Peek(HeaderBytes);
        CompareCrc32(footer[4..10], footer[..4]);
        if (
            (BinaryPrimitives.ReadUInt32LittleEndian(footer[4..]) + 1L) * Unit != index
            || footer[8] != 0
            || footer[9] != _checkType
            || !footer[10..].SequenceEqual("YZ"u8)
        )
            throw new InvalidDataException("xz: its footer is damaged");
        input.Skip(HeaderBytes);
        _check = null;
    }

    private ReadOnlySpan<byte> Peek(int count) =>
        input.Peek(count).Span is { } held && held.Length == count ? held : throw new InvalidDataException("xz: it is cut");

    private void Copy(int count, Crc32 crc)
    {
        crc.Append(Peek(count));
        input.Skip(count);
    }

    private ulong NextNumber(Crc32 crc)
    {
        ulong value = 0;
        for (int shift = 0; shift < 63; shift += 7)
        {
            byte part = Peek(1)[0];
            Copy(1, crc);
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
                return value;
        }
        throw new InvalidDataException("xz: a number in its index is damaged");
    }

    private static ulong Number(ReadOnlySpan<byte> header, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; shift < 63 && at < header.Length - 4; shift += 7)
        {
            byte part = header[at++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
                return value;
        }
        throw new InvalidDataException("xz: the header of a block is damaged");
    }

    private void SkipZeros(int count)
    {
        if (Peek(count).IndexOfAnyExcept((byte)0) >= 0)
            throw new InvalidDataException("xz: its padding is not zero");
        input.Skip(count);
    }

    private static void CompareCrc32(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> stated)
    {
        if (Crc32.HashToUInt32(bytes) != BinaryPrimitives.ReadUInt32LittleEndian(stated))
            throw new InvalidDataException("xz: the checksum of a header is wrong");
    }
}
