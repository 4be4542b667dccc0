using System.Globalization;
using System.Text.Json;
using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Curves;

/// <summary>What a viewer has of a run's charts, and the messages that bring it up to date. For one viewer.</summary>
/// <param name="run">The run.</param>
/// <param name="query">The view.</param>
/// <param name="names">
/// Curves, by name; <c>validation</c> stands for the losses of all validation sources, <c>validation/NAME</c> for a measure of theirs.
/// </param>
internal sealed class RunFeed(FollowedRun run, CurveQuery query, IReadOnlyList<string> names)
{
    private const string Validation = "validation";

    private const int MostOdd = 200,
        MostMarks = 1_000,
        LongestMark = 200;

    /// <summary>Notes that are drawn as marks.</summary>
    private static readonly HashSet<string> Marked =
    [
        "start",
        "end",
        "step-skipped",
        "step-rolled-back",
        "step-stopped",
        "step-suspect",
        "replicas-differ",
        "checkpoint-failed",
        "checkpoint-damaged",
    ];

    /// <summary>Turns of a job that are drawn as marks.</summary>
    private static readonly HashSet<string> MarkedTurns = ["Fault", "GivenUp"];

    private readonly (string Name, CurveCursor Cursor)[] _cursors =
    [
        .. names
            .Where(name => !name.StartsWith(Validation, StringComparison.Ordinal))
            .Distinct()
            .Select(name => (name, new CurveCursor(query, CurveNames.RowOf(name)))),
    ];

    private (int Generation, int Steps, int Remarks, int Validations, int Turns, double Share)? _told;

    /// <summary>Reads what is new of the run's file.</summary>
    public void Refresh() => run.Refresh();

    /// <summary>Writes what is new as an object.</summary>
    /// <returns>False: nothing is, and nothing was written.</returns>
    public bool Write(Utf8JsonWriter json) =>
        run.Follower.Look(
            (series, state) =>
            {
                var now = (
                    state.Generation,
                    series.Count,
                    series.Remarks.Count,
                    series.Validations.Count,
                    run.Events().Count,
                    Math.Round(state.Share, 2)
                );
                if (_told == now)
                    return false;
                bool isAnew = _told?.Generation != state.Generation;
                json.WriteStartObject();
                json.WriteString("id", run.Folder.Id);
                json.WriteString("name", run.Folder.Name);
                json.WriteBoolean("whole", state.IsWhole);
                json.WriteNumber("share", now.Item6);
                json.WriteNumber("step", series.Count > 0 ? series.Steps[^1] : 0);
                json.WriteStartObject("curves");
                foreach (var (name, cursor) in _cursors)
                    Write(json, name, cursor.Next(series, state));
                json.WriteEndObject();
                if (isAnew || _told!.Value.Validations != series.Validations.Count)
                    WriteValidations(json, series);
                if (isAnew || _told!.Value.Remarks != series.Remarks.Count || _told.Value.Turns != now.Item5)
                    WriteMarks(json, series);
                WritePhases(json, series);
                WriteOdd(json, series);
                json.WriteEndObject();
                _told = now;
                return true;
            }
        );

    private static void Write(Utf8JsonWriter json, string name, CurvePart? part)
    {
        if (part is null)
            return;
        json.WriteStartObject(name);
        json.WriteNumber("keep", part.Keep);
        json.WriteStartArray("s");
        foreach (long step in part.Steps)
            json.WriteNumberValue(step);
        json.WriteEndArray();
        json.WriteStartArray("x");
        foreach (double x in part.X)
            json.WriteNumberValue(Math.Round(x, 6));
        json.WriteEndArray();
        json.WriteStartArray("y");
        foreach (float y in part.Y)
            if (float.IsFinite(y))
                json.WriteNumberValue(y);
            else
                json.WriteNullValue();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteValidations(Utf8JsonWriter json, RunSeries series)
    {
        if (names.Contains(Validation))
            WritePoints(json, Validation, series, point => point.Loss);
        json.WriteStartObject("held");
        foreach (string name in names.Where(name => name.StartsWith(Validation + "/", StringComparison.Ordinal)).Distinct())
        {
            string measure = name[(Validation.Length + 1)..];
            WritePoints(json, measure, series, point => point.Measures.TryGetValue(measure, out double value) ? value : null);
        }
        json.WriteEndObject();
    }

    /// <summary>Writes the points of each validation source that have a value.</summary>
    private void WritePoints(Utf8JsonWriter json, string name, RunSeries series, Func<ValidationPoint, double?> valueOf)
    {
        json.WriteStartObject(name);
        var shown = series.Validations.Where(point => IsInView(point) && valueOf(point) is not null);
        foreach (var source in shown.GroupBy(point => point.Name))
        {
            json.WriteStartArray(source.Key);
            foreach (var point in source)
            {
                json.WriteStartArray();
                json.WriteNumberValue(query.Place(series, point.Step, point.Time));
                if (valueOf(point) is { } value && double.IsFinite(value))
                    json.WriteNumberValue(value);
                else
                    json.WriteNullValue();
                json.WriteEndArray();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();

        bool IsInView(ValidationPoint point) => !(point.Step < query.From) && !(point.Step > query.To);
    }

    private void WriteMarks(Utf8JsonWriter json, RunSeries series)
    {
        json.WriteStartArray("marks");
        foreach (var remark in series.Remarks.Where(remark => Marked.Contains(remark.Kind)).TakeLast(MostMarks))
            WriteMark(json, query.Place(series, remark.Step, remark.Time), remark.Kind, remark.Message);
        foreach (var turn in run.Events().Where(turn => MarkedTurns.Contains(turn.Kind)).TakeLast(MostMarks))
            WriteMark(json, query.Place(series, turn.Step, turn.Time), "fault", turn.Message);
        json.WriteEndArray();
    }

    private static void WriteMark(Utf8JsonWriter json, double x, string kind, string text)
    {
        json.WriteStartObject();
        json.WriteNumber("x", x);
        json.WriteString("kind", kind);
        json.WriteString("text", text.Length > LongestMark ? text[..LongestMark] : text);
        json.WriteEndObject();
    }

    private void WritePhases(Utf8JsonWriter json, RunSeries series)
    {
        json.WriteStartArray("phases");
        for (int i = 0; i < series.Phases.Count; i++)
        {
            int end = i + 1 < series.Phases.Count ? series.Phases[i + 1].First : series.Count - 1;
            json.WriteStartObject();
            json.WriteString("name", series.Phases[i].Name);
            json.WriteNumber("from", query.Place(series, series.Phases[i].First));
            json.WriteNumber("to", query.Place(series, Math.Max(0, end)));
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>Steps whose loss or norm is no number or infinite: a chart has no place for them.</summary>
    private void WriteOdd(Utf8JsonWriter json, RunSeries series)
    {
        json.WriteStartObject("odd");
        foreach (var (name, _) in _cursors.Where(curve => CurveNames.TellsOdd(curve.Name)))
        {
            var values = CurveNames.RowOf(name)(series);
            if (values.Length == 0)
                continue;
            var (from, to) = query.Range(series, values.Length);
            int count = 0;
            json.WriteStartArray(name);
            for (int i = from; i < to; i++)
            {
                if (float.IsFinite(values[i]) || ++count > MostOdd)
                    continue;
                json.WriteStartArray();
                json.WriteNumberValue(query.Place(series, i));
                json.WriteNumberValue(series.Steps[i]);
                json.WriteStringValue(values[i].ToString(CultureInfo.InvariantCulture));
                json.WriteEndArray();
            }
            json.WriteEndArray();
            json.WriteNumber($"{name}#", count);
        }
        json.WriteEndObject();
    }
}
