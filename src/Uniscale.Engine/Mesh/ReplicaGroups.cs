using Uniscale.Collectives;

namespace Uniscale.Engine.Mesh;

/// <summary>The groups in which the gradients of a bucket are summed and its shards gathered.</summary>
/// <param name="Replicas">Ranks that hold the same parameters.</param>
/// <param name="Shards">Those that share one copy of sharded state (this rank alone without ZeRO).</param>
/// <param name="ShardReplicas">Those that hold the same shard; all replicas without ZeRO.</param>
public sealed record ReplicaGroups(IProcessGroup Replicas, IProcessGroup Shards, IProcessGroup ShardReplicas);
