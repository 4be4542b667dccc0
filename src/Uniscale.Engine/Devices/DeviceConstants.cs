using System.Collections.Concurrent;
using TorchSharp;
using static TorchSharp.torch;

namespace Uniscale.Engine.Devices;

/// <summary>
/// Tensors that are functions of sizes, made on the host: on a device they are kept, for making them again would hold the host each time.
/// </summary>
internal static class DeviceConstants
{
    private static readonly ConcurrentDictionary<(object Key, string Device), Lazy<Tensor>> Kept = new();

    /// <summary>The tensor for a key; the caller's scope owns it.</summary>
    /// <param name="key">Names the values; equal keys, equal values.</param>
    /// <param name="device">Where it is wanted.</param>
    /// <param name="make">Makes it on the host.</param>
    public static Tensor Of<TKey>(TKey key, Device device, Func<TKey, Tensor> make)
        where TKey : notnull
    {
        if (device.type == DeviceType.CPU)
            return make(key);
        var kept = Kept.GetOrAdd(
            (key, device.ToString()),
            _ => new Lazy<Tensor>(() =>
            {
                using var host = make(key);
                return host.to(device).DetachFromDisposeScope();
            })
        );
        return kept.Value.alias();
    }
}
