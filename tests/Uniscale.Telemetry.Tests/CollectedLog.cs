using System.Globalization;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace Uniscale.Telemetry.Tests;

/// <summary>A log whose messages a test can read.</summary>
internal sealed class CollectedLog : ILogEventSink
{
    public List<string> Lines { get; } = [];

    public ILogger Logger() => new LoggerConfiguration().WriteTo.Sink(this).CreateLogger();

    public void Emit(LogEvent logEvent) => Lines.Add(logEvent.RenderMessage(CultureInfo.InvariantCulture));
}
