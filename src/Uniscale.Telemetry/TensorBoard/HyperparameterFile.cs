using System.Globalization;

namespace Uniscale.Telemetry.TensorBoard;

/// <summary>
/// What a sweep gave a run, for TensorBoard's page of hyper-parameters (tensorboard/plugins/hparams/plugin_data.proto). The page finds the
/// metrics by itself:
/// they are the run's curves.
/// </summary>
public static class HyperparameterFile
{
    private const string Plugin = "hparams";
    private const int Succeeded = 1,
        Failed = 2;

    /// <summary>Writes the file into a run's directory of event files; one that is there is replaced.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="values">Values by key of the configuration, as a user writes them.</param>
    /// <param name="hasSucceeded">Whether the run came to its end, or was stopped by a rule; otherwise it failed.</param>
    public static void Write(string directory, IEnumerable<KeyValuePair<string, string>> values, bool hasSucceeded)
    {
        double now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() / 1000.0;
        var start = new ProtobufMessage();
        foreach (var (key, value) in values)
            start.Nested(1, new ProtobufMessage().Text(1, key).Nested(2, Value(value)));
        start.Double(5, now);
        var end = new ProtobufMessage().Integer(1, hasSucceeded ? Succeeded : Failed).Double(2, now);
        using var file = new EventFile(directory, Plugin);
        file.Metadata("_hparams_/session_start_info", Plugin, new ProtobufMessage().Nested(3, start));
        file.Metadata("_hparams_/session_end_info", Plugin, new ProtobufMessage().Nested(4, end));
    }

    /// <summary>A value of google.protobuf.Value: a number, true or false, or a text.</summary>
    private static ProtobufMessage Value(string text)
    {
        const int number = 2,
            word = 3,
            flag = 4;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value))
            return new ProtobufMessage().Double(number, value);
        return bool.TryParse(text, out bool isTrue)
            ? new ProtobufMessage().Integer(flag, isTrue ? 1 : 0)
            : new ProtobufMessage().Text(word, text);
    }
}
