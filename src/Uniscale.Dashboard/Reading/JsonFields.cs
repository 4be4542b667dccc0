using System.Buffers.Text;
using System.Text.Json;

namespace Uniscale.Dashboard.Reading;

/// <summary>Values of a file that anybody may have written: one of another kind than it should be is nothing, and breaks nothing.</summary>
internal static class JsonFields
{
    /// <summary>A time; the year 1 where it is none.</summary>
    public static DateTimeOffset Time(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String && reader.TryGetDateTimeOffset(out var time) ? time : default;

    /// <summary>A number; <c>"NaN"</c> and <c>"Infinity"</c> are numbers, too.</summary>
    public static double Number(ref Utf8JsonReader reader) =>
        reader.TokenType switch
        {
            JsonTokenType.Number => reader.TryGetDouble(out double number) ? number : double.NaN,
            JsonTokenType.String when reader.ValueTextEquals("Infinity"u8) => double.PositiveInfinity,
            JsonTokenType.String when reader.ValueTextEquals("-Infinity"u8) => double.NegativeInfinity,
            _ => double.NaN,
        };

    /// <summary>A whole number; 0 where it is none.</summary>
    public static long Whole(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.Number)
            return 0;
        if (Utf8Parser.TryParse(reader.ValueSpan, out long whole, out int used) && used == reader.ValueSpan.Length)
            return whole;
        return reader.TryGetDouble(out double number) && double.IsFinite(number) && Math.Abs(number) < 9e18 ? (long)number : 0;
    }

    /// <summary>Takes an object of numbers by name, some dozens at most; of another kind it has none.</summary>
    public static void Numbers(ref Utf8JsonReader reader, Dictionary<string, double> values)
    {
        const int most = 64;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            return;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
                reader.Skip();
            else if (values.Count < most)
                values[name] = Number(ref reader);
        }
    }
}
