using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace Uniscale.Corpus.Reading.Decompression;

/// <summary>
/// Reads all members of a gzip file (RFC 1952) and checks each: the length and CRC-32 behind it must be those of what came out, and behind
/// the last there may be zeros and nothing else.
/// The framework's own GZipStream passes a cut stream for a whole one, and whatever follows a member without its magic number for nothing.
/// </summary>
internal sealed class GzipStream(PeekStream input) : ReadOnlyStream
{
    private const int HeaderBytes = 10,
        TrailerBytes = 8,
        LeastBytes = 2;
    private const byte HasCrc = 2,
        HasExtra = 4,
        HasName = 8,
        HasComment = 16;

    private readonly MemberStream _member = new(input);
    private readonly Crc32 _crc = new();
    private DeflateStream? _inflate;
    private uint _length;
    private bool _isFirst = true;

    public static bool IsMagic(ReadOnlySpan<byte> head) => head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 0x08]);

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            if (_inflate is null && !Begin())
                return 0;
            int read = _inflate!.Read(buffer);
            if (read > 0)
            {
                _crc.Append(buffer[..read]);
                _length += (uint)read;
                return read;
            }
            if (buffer.IsEmpty)
                return 0;
            End();
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _inflate?.Dispose();
            input.Dispose();
        }
        base.Dispose(disposing);
    }

    private bool Begin()
    {
        var header = input.Peek(HeaderBytes).Span;
        if (!IsMagic(header))
        {
            if (header.IsEmpty && !_isFirst)
                return false;
            SkipZeros();
            return false;
        }
        if (header.Length < HeaderBytes)
            throw new InvalidDataException("it is cut in the header of a gzip member");
        byte flags = header[3];
        input.Skip(HeaderBytes);
        if ((flags & HasExtra) != 0)
            SkipExactly(input.ReadByte() | (input.ReadByte() << 8));
        for (int texts = ((flags & HasName) != 0 ? 1 : 0) + ((flags & HasComment) != 0 ? 1 : 0); texts > 0; texts--)
            while (input.ReadByte() is var letter && letter != 0)
                if (letter < 0)
                    throw new InvalidDataException("it is cut in the header of a gzip member");
        if ((flags & HasCrc) != 0)
            SkipExactly(2);
        _isFirst = false;
        _length = 0;
        _member.Begin();
        _inflate = new DeflateStream(_member, CompressionMode.Decompress, leaveOpen: true);
        return true;
    }

    private void SkipExactly(int count)
    {
        if (count < 0 || input.SkipAny(count) < count)
            throw new InvalidDataException("it is cut in the header of a gzip member");
    }

    /// <summary>Where a member ends shows only by its trailer: the inflater reads ahead and does not say how far it came.</summary>
    private void End()
    {
        _inflate!.Dispose();
        _inflate = null;
        Span<byte> trailer = stackalloc byte[TrailerBytes];
        _crc.GetHashAndReset(trailer); // little-endian, as in the file
        BinaryPrimitives.WriteUInt32LittleEndian(trailer[4..], _length);
        var tail = input.Peek(_member.Handed + TrailerBytes).Span;
        int from = _member.IsFirst ? Math.Min(LeastBytes, tail.Length) : 0,
            at = tail[from..].IndexOf(trailer);
        if (at < 0)
            throw new InvalidDataException("a gzip member is cut, or its checksum is wrong");
        input.Skip(from + at + TrailerBytes);
    }

    private void SkipZeros()
    {
        while (input.PeekHeld() is { Length: > 0 } held)
        {
            if (held.Span.IndexOfAnyExcept((byte)0) >= 0)
                throw new InvalidDataException(_isFirst ? "it is no gzip" : "behind a gzip member stands what is none");
            input.Skip(held.Length);
        }
    }

    /// <summary>Hands bytes to the inflater; the last that were handed out are still there to be looked at.</summary>
    private sealed class MemberStream(PeekStream input) : ReadOnlyStream
    {
        public int Handed { get; private set; }

        /// <summary>Nothing but what was handed out last was handed out.</summary>
        public bool IsFirst { get; private set; }

        public void Begin() => (Handed, IsFirst) = (0, true);

        public override int Read(Span<byte> buffer)
        {
            IsFirst &= Handed == 0;
            input.Skip(Handed);
            var held = input.PeekHeld().Span;
            Handed = Math.Min(held.Length, buffer.Length);
            held[..Handed].CopyTo(buffer);
            return Handed;
        }
    }
}
