namespace Uniscale.Planning.Published;

/// <summary>Every published row that a layout can express.</summary>
public static class PublishedRows
{
    /// <summary>All rows, table by table.</summary>
    public static IEnumerable<PublishedRow> All => [.. MegatronRows.All, .. LlamaRows.All, .. InternEvoRows.All, .. FullyShardedRows.All];
}
