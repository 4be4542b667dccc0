namespace Uniscale.Dashboard.Reading;

/// <summary>Receives a line without its end.</summary>
internal delegate void LineTaker(ReadOnlySpan<byte> line);

/// <summary>
/// Cuts a growing file into lines in bounded memory. It goes on where it was; a last line without an end waits for the rest; a line that is
/// too long is passed
/// over without being kept.
/// </summary>
/// <param name="longest">Bytes of the longest line that is taken.</param>
/// <param name="from">Where to begin.</param>
internal sealed class LineScanner(int longest, long from = 0)
{
    private const int SeamBytes = 64;

    private readonly byte[] _buffer = new byte[longest + 1];
    private readonly byte[] _seam = new byte[SeamBytes];
    private int _kept,
        _seamLength;
    private bool _isSkipping;

    /// <summary>Bytes of the file that have been read.</summary>
    public long Position { get; private set; } = from;

    /// <summary>Lines that were too long.</summary>
    public long LongLines { get; private set; }

    /// <summary>
    /// Whether a file still begins with what was read: it has not become shorter, and the last bytes before <see cref="Position"/> stand
    /// there. A run that is
    /// resumed has its records rewritten.
    /// </summary>
    public bool Continues(Stream stream)
    {
        if (stream.Length < Position)
            return false;
        if (_seamLength == 0)
            return true;
        Span<byte> there = stackalloc byte[SeamBytes];
        stream.Position = Position - _seamLength;
        return stream.ReadAtLeast(there[.._seamLength], _seamLength, throwOnEndOfStream: false) == _seamLength
            && there[.._seamLength].SequenceEqual(_seam.AsSpan(0, _seamLength));
    }

    /// <summary>Reads on, until the end of the file or <paramref name="most"/> bytes.</summary>
    /// <returns>Bytes read; 0: there is nothing new.</returns>
    public long Read(Stream stream, LineTaker take, long most = long.MaxValue)
    {
        stream.Position = Position;
        long read = 0;
        while (read < most)
        {
            int count = stream.Read(_buffer, _kept, (int)Math.Min(_buffer.Length - _kept, most - read));
            if (count == 0)
                break;
            read += count;
            Position += count;
            KeepSeam(_buffer.AsSpan(_kept, count));
            Cut(count, take);
        }
        return read;
    }

    private void Cut(int count, LineTaker take)
    {
        int end = _kept + count,
            start = 0,
            searched = _kept;
        for (int at; (at = _buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n')) >= 0; searched = start)
        {
            at += searched;
            if (!_isSkipping)
                take(_buffer.AsSpan(start, at - start).TrimEnd((byte)'\r'));
            _isSkipping = false;
            start = at + 1;
        }
        _kept = end - start;
        if (_kept > longest || _isSkipping)
        {
            if (!_isSkipping)
                LongLines++;
            _isSkipping = _isSkipping || _kept > 0;
            _kept = 0;
        }
        else if (start > 0)
        {
            Buffer.BlockCopy(_buffer, start, _buffer, 0, _kept);
        }
    }

    private void KeepSeam(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= SeamBytes)
        {
            bytes[^SeamBytes..].CopyTo(_seam);
            _seamLength = SeamBytes;
            return;
        }
        int old = Math.Min(_seamLength, SeamBytes - bytes.Length);
        _seam.AsSpan(_seamLength - old, old).CopyTo(_seam);
        bytes.CopyTo(_seam.AsSpan(old));
        _seamLength = old + bytes.Length;
    }
}
