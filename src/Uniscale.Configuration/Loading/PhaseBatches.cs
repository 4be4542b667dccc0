namespace Uniscale.Configuration.Loading;

/// <summary>A phase that names some keys of its batch takes the others from the run, as it does with keys of its own.</summary>
internal static class PhaseBatches
{
    public static MapNode Apply(MapNode root)
    {
        if (root["batch"] is not MapNode batch || root["phases"] is not ListNode phases)
            return root;
        var entry = root.Entries.First(entry => entry.Key == "phases");
        return root.With(entry with { Value = phases with { Items = [.. phases.Items.Select(phase => Complete(phase, batch))] } });
    }

    private static ConfigNode Complete(ConfigNode phase, MapNode batch)
    {
        if (phase is not MapNode map || map["batch"] is not MapNode own)
            return phase;
        var entry = map.Entries.First(entry => entry.Key == "batch");
        // A ramp says what the batch is: beside a batch or a ramp of the phase's own it would be another's.
        return map.With(entry with { Value = own.Over(own["global"] is null && own["ramp"] is null ? batch : batch.Without("ramp")) });
    }
}
