using System.Text;

namespace Uniscale.Launching.Tests;

/// <summary>Text that one thread writes while another reads it.</summary>
internal sealed class Transcript : TextWriter
{
    private readonly StringBuilder _text = new();

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value)
    {
        lock (_text)
            _text.Append(value);
    }

    public override Task WriteLineAsync(string? value)
    {
        lock (_text)
            _text.AppendLine(value);
        return Task.CompletedTask;
    }

    public bool Contains(string text) => ToString().Contains(text, StringComparison.Ordinal);

    public override string ToString()
    {
        lock (_text)
            return _text.ToString();
    }
}
