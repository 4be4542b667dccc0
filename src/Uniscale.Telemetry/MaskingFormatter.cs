using System.Globalization;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;
using Uniscale.Configuration.Loading;

namespace Uniscale.Telemetry;

/// <summary>Writes log events by a template, without the secrets of this process.</summary>
/// <param name="template">Serilog's output template.</param>
internal sealed class MaskingFormatter(string template) : ITextFormatter
{
    private readonly MessageTemplateTextFormatter _inner = new(template, CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var line = new StringWriter(CultureInfo.InvariantCulture);
        _inner.Format(logEvent, line);
        output.Write(Secrets.Mask(line.ToString()));
    }
}
