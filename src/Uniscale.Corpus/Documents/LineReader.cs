using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>Reads lines as bytes into one buffer that grows with the longest.</summary>
internal sealed class LineReader(Stream stream, string name, int maxLineBytes)
{
    private byte[] _buffer = new byte[1 << 18];
    private int _start;
    private int _end;
    private bool _finished;

    /// <summary>Number of the line last read, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>The next line without its end; valid until the next call.</summary>
    /// <exception cref="UserErrorException">The line is longer than allowed.</exception>
    public bool TryRead(out ReadOnlyMemory<byte> line)
    {
        int searched = 0;
        while (true)
        {
            int found = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (found >= 0)
            {
                line = Take(searched + found, skip: 1);
                return true;
            }
            searched = _end - _start;
            if (_finished)
            {
                line = Take(searched, skip: 0);
                return searched > 0;
            }
            Fill();
        }
    }

    private ReadOnlyMemory<byte> Take(int length, int skip)
    {
        Number++;
        ReadOnlyMemory<byte> line = _buffer.AsMemory(_start, length);
        _start += length + skip;
        // Files that were joined have a byte order mark wherever one of them began.
        return line.Span.StartsWith("\uFEFF"u8) ? line[3..] : line;
    }

    private void Fill()
    {
        int held = _end - _start;
        if (held > maxLineBytes)
            throw new UserErrorException(
                $"Line {Number + 1} of {name} is longer than {maxLineBytes >> 20} MiB: cut the document into several."
            );
        if (_start > 0)
        {
            _buffer.AsSpan(_start, held).CopyTo(_buffer);
            (_start, _end) = (0, held);
        }
        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, (int)Math.Min(2L * _buffer.Length, maxLineBytes + (1L << 18)));
        int read = stream.Read(_buffer, _end, _buffer.Length - _end);
        _finished = read == 0;
        _end += read;
    }
}
