namespace Uniscale.Corpus.Reading.Decompression;

/// <summary>A stream to be read once, whose next bytes can be looked at before they are taken.</summary>
internal sealed class PeekStream(Stream inner) : ReadOnlyStream
{
    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private long _taken;

    /// <summary>Bytes taken so far.</summary>
    public override long Position
    {
        get => _taken;
        set => throw new NotSupportedException();
    }

    /// <summary>The next bytes, fewer only at the end; valid until bytes are taken or looked at again.</summary>
    public ReadOnlyMemory<byte> Peek(int count)
    {
        if (_end - _start < count)
        {
            if (count > _buffer.Length - _start)
            {
                byte[] room = count > _buffer.Length ? new byte[Math.Max(count, 2 * _buffer.Length)] : _buffer;
                _buffer.AsSpan(_start, _end - _start).CopyTo(room);
                (_buffer, _start, _end) = (room, 0, _end - _start);
            }
            _end += inner.ReadAtLeast(_buffer.AsSpan(_end), count - (_end - _start), throwOnEndOfStream: false);
        }
        return _buffer.AsMemory(_start, Math.Min(count, _end - _start));
    }

    /// <summary>All that is held, at least a byte but at the end.</summary>
    public ReadOnlyMemory<byte> PeekHeld()
    {
        if (_start == _end)
        {
            (_start, _end) = (0, 0);
            _end = inner.Read(_buffer);
        }
        return _buffer.AsMemory(_start, _end - _start);
    }

    /// <summary>Takes bytes that were looked at.</summary>
    public void Skip(int count)
    {
        _start += count;
        _taken += count;
    }

    /// <summary>Takes bytes without looking.</summary>
    /// <returns>Bytes that were there.</returns>
    public long SkipAny(long count)
    {
        long skipped = 0;
        while (skipped < count && PeekHeld() is { Length: > 0 } held)
        {
            int step = (int)Math.Min(count - skipped, held.Length);
            Skip(step);
            skipped += step;
        }
        return skipped;
    }

    public override int Read(Span<byte> buffer)
    {
        int held = _end - _start;
        if (held == 0)
        {
            if (buffer.Length >= _buffer.Length)
            {
                int direct = inner.Read(buffer);
                _taken += direct;
                return direct;
            }
            held = PeekHeld().Length;
        }
        int count = Math.Min(held, buffer.Length);
        _buffer.AsSpan(_start, count).CopyTo(buffer);
        Skip(count);
        return count;
    }

    public override int ReadByte()
    {
        if (_start == _end && PeekHeld().IsEmpty)
            return -1;
        _taken++;
        return _buffer[_start++];
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            inner.Dispose();
        base.Dispose(disposing);
    }
}
