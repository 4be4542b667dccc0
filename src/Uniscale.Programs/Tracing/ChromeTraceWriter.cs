using System.Text.Json;

namespace Uniscale.Programs.Tracing;

/// <summary>
/// Writes a Chrome trace: <c>{"traceEvents": [...]}</c> of complete events (ph X) with times in microseconds, as Perfetto and
/// chrome://tracing open it.
/// Events may come in any order and are written as they come. The stream is left open. Not for several threads at once.
/// </summary>
public sealed class ChromeTraceWriter : IDisposable
{
    private readonly Utf8JsonWriter _json;

    /// <summary>Begins a trace.</summary>
    public ChromeTraceWriter(Stream stream)
    {
        _json = new Utf8JsonWriter(stream);
        _json.WriteStartObject();
        _json.WriteString("displayTimeUnit", "ms");
        _json.WriteStartArray("traceEvents");
    }

    /// <summary>Names a group of rows, a rank here.</summary>
    public void NameProcess(int pid, string name) => WriteName("process_name", pid, 0, name);

    /// <summary>Names a row.</summary>
    public void NameThread(int pid, int tid, string name) => WriteName("thread_name", pid, tid, name);

    /// <summary>Writes one event.</summary>
    /// <param name="name">What ran.</param>
    /// <param name="category">What colours and filters go by, e.g. <c>compute</c>.</param>
    /// <param name="start">Microseconds.</param>
    /// <param name="duration">Microseconds.</param>
    /// <param name="pid">Rank.</param>
    /// <param name="tid">Row of the rank.</param>
    /// <param name="arguments">Shown when the event is chosen.</param>
    public void Write(
        string name,
        string category,
        double start,
        double duration,
        int pid,
        int tid,
        params ReadOnlySpan<(string Key, long Value)> arguments
    )
    {
        _json.WriteStartObject();
        _json.WriteString("name", name);
        _json.WriteString("cat", category);
        _json.WriteString("ph", "X");
        _json.WriteNumber("ts", Math.Round(start, 3));
        _json.WriteNumber("dur", Math.Round(duration, 3));
        _json.WriteNumber("pid", pid);
        _json.WriteNumber("tid", tid);
        if (arguments.Length > 0)
        {
            _json.WriteStartObject("args");
            foreach (var (key, value) in arguments)
                _json.WriteNumber(key, value);
            _json.WriteEndObject();
        }
        _json.WriteEndObject();
    }

    /// <summary>Ends the trace.</summary>
    public void Dispose()
    {
        _json.WriteEndArray();
        _json.WriteEndObject();
        _json.Dispose();
    }

    private void WriteName(string kind, int pid, int tid, string name)
    {
        _json.WriteStartObject();
        _json.WriteString("name", kind);
        _json.WriteString("ph", "M");
        _json.WriteNumber("pid", pid);
        _json.WriteNumber("tid", tid);
        _json.WriteStartObject("args");
        _json.WriteString("name", name);
        _json.WriteEndObject();
        _json.WriteEndObject();
    }
}
